package localdisk_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/media/localdisk"
	"github.com/etrainer/backend/pkg/media/mediatest"
	"github.com/etrainer/backend/pkg/mediafile"
)

func open(t *testing.T) (store *localdisk.Store, dir string) {
	t.Helper()
	dir = t.TempDir()
	store, err := localdisk.Open(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return store, dir
}

// put stores a picture.
func put(t *testing.T, store *localdisk.Store, format mediafile.Format, content []byte) media.Asset {
	t.Helper()
	upload := mediatest.Received(t, media.Image, format)
	if err := os.WriteFile(upload.Path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	asset, err := store.Put(t.Context(), upload)
	if err != nil {
		t.Fatal(err)
	}
	return asset
}

func encode(t *testing.T, picture image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestStampede: many ask for the same new variant at once, and it is drawn
// once.
func TestStampede(t *testing.T) {
	t.Parallel()
	store, dir := open(t)
	asset := put(t, store, mediafile.PNG, mediatest.PNG(400, 300))
	address := make([]string, 16)
	written := make([]time.Time, len(address))
	var all sync.WaitGroup
	for i := range address {
		all.Go(func() {
			made, err := store.Optimize(t.Context(), asset.Ref, media.Transform{Width: 77, Quality: "auto"})
			if err != nil {
				t.Error(err)
				return
			}
			address[i] = made[0].URL
			info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(made[0].URL[len(localdisk.Prefix):])))
			if err != nil {
				t.Error(err)
				return
			}
			written[i] = info.ModTime()
		})
	}
	all.Wait()
	for i := range address {
		if address[i] != address[0] || !written[i].Equal(written[0]) {
			t.Errorf("call %d: %s of %s, the first: %s of %s", i, address[i], written[i], address[0], written[0])
		}
	}
}

// TestMeans: each new pixel is the mean of those that it stands for, and what
// sticks out is cut on both sides alike.
func TestMeans(t *testing.T) {
	t.Parallel()
	store, _ := open(t)
	picture := image.NewNRGBA(image.Rect(0, 0, 8, 2)) // two columns of each of four colours
	for x := range 8 {
		for y := range 2 {
			picture.SetNRGBA(x, y, color.NRGBA{R: uint8(x/2*60 + 10*(x%2)), G: 100, A: 250})
		}
	}
	asset := put(t, store, mediafile.PNG, encode(t, picture))
	for _, test := range []struct {
		width, height int
		red           []uint8 // of the first row
	}{
		{4, 1, []uint8{5, 65, 125, 185}},
		{2, 1, []uint8{65, 125}},
		{3, 2, []uint8{65, 95, 125}},
	} {
		made, err := store.Optimize(t.Context(), asset.Ref, media.Transform{Width: test.width, Height: test.height, Quality: "auto"})
		if err != nil {
			t.Fatal(err)
		}
		file, _, err := store.Open(made[0].URL[len(localdisk.Prefix):])
		if err != nil {
			t.Fatal(err)
		}
		drawn, err := png.Decode(file)
		_ = file.Close() // it was only read
		if err != nil {
			t.Fatal(err)
		}
		if drawn.Bounds().Dx() != test.width || drawn.Bounds().Dy() != test.height {
			t.Errorf("%d by %d: the size is %v", test.width, test.height, drawn.Bounds())
			continue
		}
		for x, red := range test.red {
			got := color.NRGBAModel.Convert(drawn.At(x, 0)).(color.NRGBA) //nolint:forcetypeassert // the model's own
			if max(got.R, red)-min(got.R, red) > 1 || got.A != 250 || max(got.G, 100)-min(got.G, 100) > 1 {
				t.Errorf("%d by %d: pixel %d is %v, want red %d", test.width, test.height, x, got, red)
			}
		}
	}
}

// TestUpright: what a telephone took on its side is drawn upright. The picture in
// the file is red on the left and blue on the right, dark above and light below.
func TestUpright(t *testing.T) {
	t.Parallel()
	store, _ := open(t)
	lying := image.NewRGBA(image.Rect(0, 0, 80, 40))
	for x := range 80 {
		for y := range 40 {
			c := color.RGBA{R: 100, A: 255}
			if x >= 40 {
				c = color.RGBA{B: 100, A: 255}
			}
			if y >= 20 {
				c.R, c.G, c.B = c.R*2, 0, c.B*2
			}
			lying.SetRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, lying, &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	const red, blue, dark, light = "red", "blue", "dark ", "light "
	for turn, want := range map[uint16][2]string{ // the upper left and the lower right corner
		1: {dark + red, light + blue}, 2: {dark + blue, light + red}, 3: {light + blue, dark + red}, 4: {light + red, dark + blue},
		5: {dark + red, light + blue}, 6: {light + red, dark + blue}, 7: {light + blue, dark + red}, 8: {dark + blue, light + red},
	} {
		asset := put(t, store, mediafile.JPEG, mediatest.Turned(b.Bytes(), turn))
		width, height := 40, 20
		if turn > 4 {
			width, height = height, width
		}
		made, err := store.Optimize(t.Context(), asset.Ref, media.Transform{Width: width, Quality: "100"})
		if err != nil || asset.Width != 2*width || made[0].Width != width || made[0].Height != height {
			t.Errorf("turn %d: %+v, %v, of %d by %d", turn, made, err, asset.Width, asset.Height)
			continue
		}
		file, _, err := store.Open(made[0].URL[len(localdisk.Prefix):])
		if err != nil {
			t.Fatal(err)
		}
		drawn, err := jpeg.Decode(file)
		_ = file.Close() // it was only read
		if err != nil || drawn.Bounds().Dx() != width || drawn.Bounds().Dy() != height {
			t.Errorf("turn %d: %v, %v", turn, drawn.Bounds(), err)
			continue
		}
		corner := func(x, y int) string {
			r, _, b, _ := drawn.At(x, y).RGBA()
			name, shade := red, dark
			if b > r {
				name = blue
			}
			if max(r, b)>>8 > 150 {
				shade = light
			}
			return shade + name
		}
		if got := [2]string{corner(2, 2), corner(width-3, height-3)}; got != want {
			t.Errorf("turn %d: the corners are %v, want %v", turn, got, want)
		}
	}
}

// TestHungryPictures: a file of some kilobytes that needs hundreds of megabytes
// to be drawn is kept, and not drawn.
func TestHungryPictures(t *testing.T) {
	t.Parallel()
	store, dir := open(t)
	progressive := mediatest.JPEG(4, 4)
	at := bytes.Index(progressive, []byte{0xff, 0xc0})
	progressive[at+1] = 0xc2 // comes in passes
	binary.BigEndian.PutUint16(progressive[at+5:], 6000)
	binary.BigEndian.PutUint16(progressive[at+7:], 6000)
	for name, test := range map[string]struct {
		format  mediafile.Format
		content []byte
	}{
		"deep PNG":         {mediafile.PNG, mediatest.ClaimingPNG(7000, 7000)},
		"progressive JPEG": {mediafile.JPEG, progressive},
	} {
		upload := mediatest.Received(t, media.Image, test.format)
		if err := os.WriteFile(upload.Path, test.content, 0o600); err != nil {
			t.Fatal(err)
		}
		asset, err := store.Put(t.Context(), upload)
		if err != nil || asset.Thumbnail != "" || asset.Width < 6000 {
			t.Errorf("%s: %+v, %v", name, asset, err)
		}
		made, err := store.Optimize(t.Context(), asset.Ref, media.Transform{Width: 100, Quality: "auto"})
		if err != nil || len(made) != 1 || made[0].URL != asset.URL || made[0].Width != asset.Width {
			t.Errorf("%s: %+v, %v", name, made, err)
		}
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "variants")); err != nil || len(entries) != 0 {
		t.Errorf("variants: %v, %v", entries, err)
	}
}

// TestHungrySizes: what the new picture needs counts, too, and smaller sizes of
// the same one are drawn.
func TestHungrySizes(t *testing.T) {
	t.Parallel()
	store, _ := open(t)
	lying := put(t, store, mediafile.JPEG, mediatest.Turned(mediatest.FlatJPEG(6400, 3200), 6)) // 59 MiB, and 31 of the new one
	wide := put(t, store, mediafile.JPEG, mediatest.FlatJPEG(8000, 3600))                       // 82 MiB, and 27 of the greatest
	for name, test := range map[string]struct {
		asset media.Asset
		drawn bool
		size  media.Transform
	}{
		"the greatest":           {lying, true, media.Transform{Width: 3200, Height: 2500, Quality: "auto"}},
		"the greatest of a wide": {wide, false, media.Transform{Width: 4000, Quality: "auto"}},
		"a smaller one":          {wide, true, media.Transform{Width: 1000, Quality: "auto"}},
		"as it is":               {wide, false, media.Transform{Quality: "auto"}},
	} {
		made, err := store.Optimize(t.Context(), test.asset.Ref, test.size, media.ThumbnailOf)
		if err != nil {
			t.Fatal(err)
		}
		width, height := test.size.Box(test.asset.Width, test.asset.Height)
		if !test.drawn {
			width, height = test.asset.Width, test.asset.Height
		}
		if drawn := made[0].URL != test.asset.URL; drawn != test.drawn || made[0].Width != width || made[0].Height != height || made[1].URL != test.asset.Thumbnail {
			t.Errorf("%s: %+v, want %d by %d", name, made, width, height)
		}
	}
}

// TestVariantsGoWithThePicture, and are not made of one that is gone.
func TestVariantsGoWithThePicture(t *testing.T) {
	t.Parallel()
	store, dir := open(t)
	asset := put(t, store, mediafile.PNG, mediatest.PNG(400, 300))
	if asset.Thumbnail == "" {
		t.Fatal("there is no thumbnail")
	}
	if err := store.Delete(t.Context(), asset.Ref); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Optimize(t.Context(), asset.Ref, media.Transform{Width: 50, Quality: "auto"}); !errors.Is(err, media.ErrNotFound) {
		t.Errorf("Optimize of a deleted picture: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "variants", "etrainer", "images", "*")); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestAttach opens what another process has made, and makes nothing.
func TestAttach(t *testing.T) {
	t.Parallel()
	_, dir := open(t)
	if _, err := localdisk.Attach(dir, time.Now); err != nil {
		t.Error(err)
	}
	none := filepath.Join(dir, "none")
	if _, err := localdisk.Attach(none, time.Now); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Attach: %v", err)
	}
	if _, err := os.Stat(none); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Attach made the folder: %v", err)
	}
}
