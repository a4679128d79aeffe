package media

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Transform is how a picture shall be delivered: filling a box, cut in the
// middle. Zero width or height = as the other wants it; both zero = as it is.
// Pictures are not enlarged: a box that is too great becomes smaller.
type Transform struct {
	Width, Height int    // pixels, at most MaxSide
	Quality       string // auto, auto:best, auto:good, auto:eco, auto:low, or 1 to 100
	// ByStranger tells that neither the owner of the picture nor an
	// administrator asks. A store that keeps what it draws draws fewer sizes for
	// strangers, so that they cannot use up all.
	ByStranger bool
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

// Box is the size that the transform makes of a picture of a size.
func (t Transform) Box(width, height int) (w, h int) {
	if width < 1 || height < 1 {
		return 0, 0
	}
	scale := max(float64(t.Width)/float64(width), float64(t.Height)/float64(height))
	switch {
	case t.Width > 0 && t.Height > 0 && scale <= 1:
		return t.Width, t.Height
	case t.Width > 0 && t.Height > 0:
		return side(float64(t.Width)/scale, width), side(float64(t.Height)/scale, height)
	case scale == 0 || scale > 1:
		scale = 1
	}
	scale = min(scale, float64(MaxSide)/float64(max(width, height)))
	return side(float64(width)*scale, width), side(float64(height)*scale, height)
}

func side(exact float64, most int) int { return min(max(int(math.Round(exact)), 1), most) }

// Within is the transform for a picture of a size: what it asks for is made
// small enough, and what it does not ask for stays open. 0 = the size is not
// known, and the transform stays as it is.
func (t Transform) Within(width, height int) Transform {
	w, h := t.Box(width, height)
	if w == 0 {
		return t
	}
	if t.Width > 0 {
		t.Width = w
	}
	if t.Height > 0 {
		t.Height = h
	}
	return t
}

// responsiveWidths are those of a responsive set: of phones, tablets, screens.
var responsiveWidths = []int{320, 640, 960, 1280, 1920}

// Usual reports whether the transform is one of those that Responsive makes when
// nothing but a set is asked for: there are few of them for each picture.
func (t Transform) Usual(width int) bool {
	return t.Height == 0 && t.Quality == DefaultQuality && (slices.Contains(responsiveWidths, t.Width) || t.Width == width && width <= responsiveWidths[len(responsiveWidths)-1])
}

// Responsive is the transform in several widths, the smallest first, of a
// picture of a size (0 = unknown). The last one is as wide as was asked for, or
// as the picture is, if that is not more than the greatest usual width.
func (t Transform) Responsive(width, height int) []Transform {
	greatest, _ := t.Box(width, height)
	if greatest == 0 {
		greatest = t.Width
	}
	var set []Transform
	for _, usual := range responsiveWidths {
		if greatest == 0 || usual < greatest {
			set = append(set, t.withWidth(usual))
		}
	}
	if greatest > 0 && (t.Width > 0 || greatest <= responsiveWidths[len(responsiveWidths)-1]) {
		set = append(set, t.withWidth(greatest))
	}
	return set
}

// withWidth is the same shape in another width.
func (t Transform) withWidth(width int) Transform {
	if t.Width > 0 && t.Height > 0 {
		t.Height = max(int(math.Round(float64(t.Height)*float64(width)/float64(t.Width))), 1)
	} else {
		t.Height = 0
	}
	t.Width = width
	return t
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
