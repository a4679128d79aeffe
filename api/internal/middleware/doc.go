// Package middleware is what every request passes on its way to a handler.
// The order is fixed in [Chain] and [JSONRoutes], and nowhere else.
package middleware
