package media_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/etrainer/backend/pkg/media"
)

func TestBox(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		width, height int // asked for
		ofW, ofH      int // the picture
		w, h          int
	}{
		"both":             {100, 100, 400, 300, 100, 100},
		"width":            {200, 0, 400, 300, 200, 150},
		"height":           {0, 30, 400, 300, 40, 30},
		"none":             {0, 0, 400, 300, 400, 300},
		"wider":            {4000, 0, 400, 300, 400, 300},
		"higher":           {0, 301, 400, 300, 400, 300},
		"box too wide":     {1000, 500, 400, 300, 400, 200},
		"box too high":     {300, 600, 400, 300, 150, 300},
		"a line":           {1, 0, 4000, 1, 1, 1},
		"beyond the limit": {0, 0, 8000, 4000, 4000, 2000},
		"unknown":          {100, 100, 0, 0, 0, 0},
	} {
		w, h := media.Transform{Width: test.width, Height: test.height}.Box(test.ofW, test.ofH)
		if w != test.w || h != test.h {
			t.Errorf("%s: %d by %d, want %d by %d", name, w, h, test.w, test.h)
		}
	}
}

func TestResponsive(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		asked         media.Transform
		width, height int
		want          []string
	}{
		"of a small picture":   {media.Transform{Quality: "auto"}, 700, 500, []string{"c_fill,f_auto,q_auto,w_320", "c_fill,f_auto,q_auto,w_640", "c_fill,f_auto,q_auto,w_700"}},
		"of a great one":       {media.Transform{Quality: "auto"}, 4000, 3000, []string{"c_fill,f_auto,q_auto,w_320", "c_fill,f_auto,q_auto,w_640", "c_fill,f_auto,q_auto,w_960", "c_fill,f_auto,q_auto,w_1280", "c_fill,f_auto,q_auto,w_1920"}},
		"in a shape":           {media.Transform{Width: 640, Height: 320, Quality: "auto"}, 4000, 3000, []string{"c_fill,f_auto,h_160,q_auto,w_320", "c_fill,f_auto,h_320,q_auto,w_640"}},
		"wider than there is":  {media.Transform{Width: 900, Height: 900, Quality: "auto"}, 500, 400, []string{"c_fill,f_auto,h_320,q_auto,w_320", "c_fill,f_auto,h_400,q_auto,w_400"}},
		"of an unknown size":   {media.Transform{Width: 700, Quality: "auto"}, 0, 0, []string{"c_fill,f_auto,q_auto,w_320", "c_fill,f_auto,q_auto,w_640", "c_fill,f_auto,q_auto,w_700"}},
		"smaller than a phone": {media.Transform{Quality: "auto"}, 40, 30, []string{"c_fill,f_auto,q_auto,w_40"}},
	} {
		var got []string
		for _, transform := range test.asked.Responsive(test.width, test.height) {
			got = append(got, transform.String())
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
