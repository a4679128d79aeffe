package media

import (
	"regexp"
	"strconv"
	"strings"
)

// Transform is how a picture shall be delivered: filling a box, cut in the
// middle. Zero width or height = as the other wants it; both zero = as it is.
type Transform struct {
	Width, Height int    // pixels, at most MaxSide
	Quality       string // auto, auto:best, auto:good, auto:eco, auto:low, or 1 to 100
}

// MaxSide is the greatest width and height of a Transform.
const MaxSide = 4000

// DefaultQuality is what optimize-url uses.
const DefaultQuality = "auto:good"

var autoQuality = regexp.MustCompile(`^auto(:(best|good|eco|low))?$`)

// Validate returns a *RefusedError that names what cannot be done.
func (t Transform) Validate() error {
	for _, side := range []struct {
		name  string
		value int
	}{{"width", t.Width}, {"height", t.Height}} {
		if side.value < 0 || side.value > MaxSide {
			return &RefusedError{side.name + " must be a whole number from 1 to " + strconv.Itoa(MaxSide)}
		}
	}
	number, err := strconv.Atoi(t.Quality)
	if autoQuality.MatchString(t.Quality) || err == nil && number >= 1 && number <= 100 && strconv.Itoa(number) == t.Quality {
		return nil
	}
	return &RefusedError{"quality must be auto, auto:best, auto:good, auto:eco, auto:low, or a number from 1 to 100"}
}

// String is the transformation in Cloudinary's language, its parts in
// alphabetical order: c_fill,f_auto,h_200,q_auto:good,w_300.
func (t Transform) String() string {
	parts := []string{"c_fill", "f_auto"}
	if t.Height > 0 {
		parts = append(parts, "h_"+strconv.Itoa(t.Height))
	}
	parts = append(parts, "q_"+t.Quality)
	if t.Width > 0 {
		parts = append(parts, "w_"+strconv.Itoa(t.Width))
	}
	return strings.Join(parts, ",")
}

// ThumbnailOf is the Transform of thumbnails.
var ThumbnailOf = Transform{Width: 300, Height: 200, Quality: DefaultQuality}
