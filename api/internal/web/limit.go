package web

import (
	"errors"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/pkg/errs"
)

// Limit reads the parameter "limit": how many entries of a list the client wants.
// Without one it is otherwise; a larger one than the list gives is taken as most.
func Limit(c *gin.Context, otherwise, most int) (int, error) {
	text := c.Query("limit")
	if text == "" {
		return otherwise, nil
	}
	limit, err := strconv.ParseUint(text, 10, 31)
	if errors.Is(err, strconv.ErrRange) {
		return most, nil
	}
	if err != nil || limit == 0 {
		return 0, errs.Invalid("limit", "limit %q is not a number from 1 to %d", errs.Shorten(text), most)
	}
	return min(int(limit), most), nil
}
