package web

import (
	"net/netip"
	"strings"

	"github.com/gin-gonic/gin"
)

// ClientKey names the client of a request by its real address, for limits. All
// addresses of an IPv6 network of 64 bits are one client: it is what a household
// gets.
func ClientKey(c *gin.Context) string {
	address := c.ClientIP()
	if !strings.Contains(address, ":") { // the usual case, and far cheaper
		return strings.ToLower(address)
	}
	parsed, err := netip.ParseAddr(address)
	if err != nil {
		return strings.ToLower(address)
	}
	parsed = parsed.Unmap()
	if parsed.Is4() {
		return parsed.String()
	}
	network, err := parsed.WithZone("").Prefix(64)
	if err != nil {
		return parsed.String()
	}
	return network.String()
}
