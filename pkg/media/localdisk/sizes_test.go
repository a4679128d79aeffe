package localdisk_test

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/image/webp"

	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/media/mediatest"
	"github.com/etrainer/backend/pkg/mediafile"
)

// TestReportedPictures: each is drawn in other sizes, upright, or tells why not.
func TestReportedPictures(t *testing.T) {
	t.Parallel()
	store, _ := open(t)
	for name, test := range map[string]struct {
		format        mediafile.Format
		width, height int
		why           media.Why
	}{
		"base.jpg":      {mediafile.JPEG, 200, 125, ""},
		"s_410.jpg":     {mediafile.JPEG, 200, 125, ""},
		"s_411.jpg":     {mediafile.JPEG, 200, 125, ""},
		"s_221112.jpg":  {mediafile.JPEG, 200, 125, ""}, // Go's own decoder does not read it
		"gray22.jpg":    {mediafile.JPEG, 200, 125, ""},
		"exif6.webp":    {mediafile.WebP, 200, 320, ""},
		"exif6_I_3.jpg": {mediafile.JPEG, 200, 320, ""},
		"exif6_M_3.jpg": {mediafile.JPEG, 200, 320, ""},
		"apng.png":      {mediafile.PNG, 640, 400, media.WhyMoves},
		"anim.gif":      {mediafile.GIF, 64, 40, media.WhyMoves},
		"s_122111.jpg":  {mediafile.JPEG, 640, 400, media.WhyKind},
	} {
		asset := put(t, store, test.format, mediatest.Report(t, name))
		made, err := store.Optimize(t.Context(), asset.Ref, media.Transform{Width: 200, Quality: "auto"})
		if err != nil || made[0].Width != test.width || made[0].Height != test.height || made[0].Why != test.why || (made[0].URL == asset.URL) != (test.why != "") {
			t.Errorf("%s: %+v, %v", name, made, err)
		}
		if (asset.Thumbnail == "") != (test.why != "") {
			t.Errorf("%s: the thumbnail is %q", name, asset.Thumbnail)
		}
	}
}

// turnedPNG is a PNG that says how it lies.
func turnedPNG(t *testing.T, picture image.Image, turn uint16) []byte {
	t.Helper()
	jpg := mediatest.Turned([]byte{0xff, 0xd8}, turn)
	return insertPNG(encode(t, picture), "eXIf", jpg[12:])
}

// TestUprightPNG: a picture in PNG is turned as one in JPEG is.
func TestUprightPNG(t *testing.T) {
	t.Parallel()
	store, _ := open(t)
	lying := image.NewRGBA(image.Rect(0, 0, 60, 40)) // red above, blue below
	for x := range 60 {
		for y := range 40 {
			lying.SetRGBA(x, y, color.RGBA{R: 200 * uint8(1-y/20), B: 200 * uint8(y/20), A: 255})
		}
	}
	for turn, left := range map[uint16]string{6: "blue", 8: "red"} {
		content, info := drawn(t, store, put(t, store, mediafile.PNG, turnedPNG(t, lying, turn)), 20)
		picture, err := jpeg.Decode(bytes.NewReader(content))
		if err != nil || info.Width != 20 || info.Height != 30 {
			t.Fatalf("turn %d: %+v, %v", turn, info, err)
		}
		r, _, b, _ := picture.At(2, 15).RGBA()
		if got := map[bool]string{true: "red", false: "blue"}[r > b]; got != left {
			t.Errorf("turn %d: %s is on the left, want %s", turn, got, left)
		}
	}
}

// TestStrangers use up a part of the sizes of a picture, and none of its
// owner's; the usual widths are drawn for everybody.
func TestStrangers(t *testing.T) {
	t.Parallel()
	store, dir := open(t)
	asset := put(t, store, mediafile.JPEG, mediatest.JPEG(1000, 20))
	ask := func(t *testing.T, size media.Transform) media.Variant {
		t.Helper()
		if size.Quality == "" {
			size.Quality = media.DefaultQuality
		}
		made, err := store.Optimize(t.Context(), asset.Ref, size)
		if err != nil {
			t.Fatal(err)
		}
		return made[0]
	}
	got := 0
	for width := range 40 {
		if made := ask(t, media.Transform{Width: width + 1, Height: 7, ByStranger: true}); made.Why == "" {
			got++
		} else if made.Why != media.WhySizes || made.URL != asset.URL {
			t.Errorf("a stranger's size %d: %+v", width+1, made)
		}
	}
	if got != 11 { // and the thumbnail
		t.Errorf("strangers got %d sizes", got)
	}
	if made := ask(t, media.Transform{Width: 5, Height: 7, ByStranger: true}); made.Why != "" || made.Width != 5 {
		t.Errorf("a size that is there is refused to a stranger: %+v", made)
	}
	for _, usual := range []int{320, 640, 960} {
		if made := ask(t, media.Transform{Width: usual, ByStranger: true}); made.Why != "" || made.Width != usual {
			t.Errorf("the usual width %d: %+v", usual, made)
		}
	}
	for name, odd := range map[string]media.Transform{
		"a height": {Width: 320, Height: 9}, "a quality": {Width: 320, Quality: "33"}, "a width": {Width: 321},
	} {
		odd.ByStranger = true
		if made := ask(t, odd); made.Why != media.WhySizes {
			t.Errorf("the usual width with %s is drawn for a stranger: %+v", name, made)
		}
	}
	owner := 0
	for width := range 40 {
		if ask(t, media.Transform{Width: width + 100, Height: 8}).Why == "" {
			owner++
		}
	}
	if owner != 20-1-11-3 {
		t.Errorf("the owner got %d sizes", owner)
	}
	if made := ask(t, media.Transform{Width: 1000}); made.Why != "" || made.Width != 1000 {
		t.Errorf("its own width: %+v", made)
	}
	if files, err := filepath.Glob(filepath.Join(dir, "variants", "etrainer", "images", "*", "*")); err != nil || len(files) != 20+1 {
		t.Errorf("%d files, %v", len(files), err)
	}
}

// TestEveryDrawnFileIsWhole: what is drawn opens with the decoder of its name.
func TestEveryDrawnFileIsWhole(t *testing.T) {
	t.Parallel()
	store, dir := open(t)
	for _, format := range []mediafile.Format{mediafile.JPEG, mediafile.PNG, mediafile.WebP} {
		asset := put(t, store, format, mediatest.Sample(format))
		if _, err := store.Optimize(t.Context(), asset.Ref, media.Transform{Quality: "10"}); err != nil {
			t.Fatal(err)
		}
	}
	decoders := map[string]func(io.Reader) (image.Image, error){".jpg": jpeg.Decode, ".png": png.Decode, ".gif": gif.Decode, ".webp": webp.Decode}
	files, err := filepath.Glob(filepath.Join(dir, "variants", "etrainer", "images", "*", "*"))
	if err != nil || len(files) < 6 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decoders[filepath.Ext(path)](file); err != nil {
			t.Errorf("%s: %v", filepath.Base(path), err)
		}
		_ = file.Close()
	}
}
