package middleware

import (
	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
)

// securityHeaders are those that the Node backend sent with every reply.
var securityHeaders = map[string]string{
	"Content-Security-Policy": "default-src 'self';style-src 'self' 'unsafe-inline';script-src 'self';" +
		"img-src 'self' data: https:;base-uri 'self';font-src 'self' https: data:;form-action 'self';" +
		"frame-ancestors 'self';object-src 'none';script-src-attr 'none';upgrade-insecure-requests",
	"Cross-Origin-Opener-Policy":        "same-origin",
	"Cross-Origin-Resource-Policy":      "same-origin",
	"Origin-Agent-Cluster":              "?1",
	"Referrer-Policy":                   "no-referrer",
	"Strict-Transport-Security":         "max-age=31536000; includeSubDomains; preload",
	"X-Content-Type-Options":            "nosniff",
	"X-Dns-Prefetch-Control":            "off",
	"X-Download-Options":                "noopen",
	"X-Frame-Options":                   "SAMEORIGIN",
	"X-Permitted-Cross-Domain-Policies": "none",
	"X-Xss-Protection":                  "0",
}

// SecurityHeaders sets the headers that tell browsers to be careful.
func SecurityHeaders() gin.HandlerFunc {
	var all []web.FixedHeader
	for name, value := range securityHeaders {
		all = append(all, web.Fixed(name, value))
	}
	return func(c *gin.Context) {
		header := c.Writer.Header()
		for _, h := range all {
			h.Set(header)
		}
		c.Next()
	}
}
