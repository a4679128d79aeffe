package localdisk_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"testing"

	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/media/localdisk"
	"github.com/etrainer/backend/pkg/media/mediatest"
	"github.com/etrainer/backend/pkg/mediafile"
)

// drawn opens a picture in a size.
func drawn(t *testing.T, store *localdisk.Store, asset media.Asset, width int) (content []byte, info mediafile.Info) {
	t.Helper()
	made, err := store.Optimize(t.Context(), asset.Ref, media.Transform{Width: width, Quality: "100"})
	if err != nil || made[0].URL == asset.URL {
		t.Fatalf("%+v, %v", made, err)
	}
	file, format, err := store.Open(made[0].URL[len(localdisk.Prefix):])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var b bytes.Buffer
	if _, err := b.ReadFrom(file); err != nil {
		t.Fatal(err)
	}
	info, err = mediafile.Measure(bytes.NewReader(b.Bytes()), int64(b.Len()), format)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), info
}

// profile is the head of one that is about a space of colours, of a length.
func profile(space string, length int) []byte {
	b := make([]byte, length)
	copy(b[12:], "mntr"+space+"XYZ ")
	copy(b[36:], "acsp")
	return b
}

// withProfile is a JPEG with a profile in as many segments as it takes.
func withProfile(jpg, profile []byte) []byte {
	const most = 60_000
	b := bytes.Clone(jpg[:2])
	pieces := (len(profile) + most - 1) / most
	for i := range pieces {
		piece := profile[i*most : min((i+1)*most, len(profile))]
		b = binary.BigEndian.AppendUint16(append(b, 0xff, 0xe2), uint16(len(piece)+16))
		b = append(append(append(b, "ICC_PROFILE\x00"...), byte(i+1), byte(pieces)), piece...)
	}
	return append(b, jpg[2:]...)
}

func grey() []byte {
	var b bytes.Buffer
	m := image.NewGray(image.Rect(0, 0, 40, 30))
	for i := range m.Pix {
		m.Pix[i] = 90
	}
	if err := jpeg.Encode(&b, m, nil); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// TestProfilesGoAlong: a drawn size means its colours as the picture does.
func TestProfilesGoAlong(t *testing.T) {
	t.Parallel()
	store, _ := open(t)
	rgb, gray := profile("RGB ", 500), profile("GRAY", 400)
	see := image.NewNRGBA(image.Rect(0, 0, 40, 30)) // one sees through it
	for i := range see.Pix {
		see.Pix[i] = 120
	}
	for name, test := range map[string]struct {
		format  mediafile.Format
		content []byte
		want    []byte
		drawn   mediafile.Format
	}{
		"JPEG":                      {mediafile.JPEG, withProfile(mediatest.JPEG(40, 30), rgb), rgb, mediafile.JPEG},
		"a profile of the greatest": {mediafile.JPEG, withProfile(mediatest.JPEG(40, 30), profile("RGB ", 64<<10)), profile("RGB ", 64<<10), mediafile.JPEG},
		"reported":                  {mediafile.JPEG, mediatest.Report(t, "icc.jpg"), mediatest.Report(t, "icc.jpg")[20:272], mediafile.JPEG},
		"grey":                      {mediafile.JPEG, withProfile(grey(), gray), gray, mediafile.JPEG},
		"grey, called coloured":     {mediafile.JPEG, withProfile(grey(), rgb), nil, mediafile.JPEG},
		"coloured, called grey":     {mediafile.JPEG, withProfile(mediatest.JPEG(40, 30), gray), nil, mediafile.JPEG},
		"coloured, called inks":     {mediafile.JPEG, withProfile(mediatest.JPEG(40, 30), profile("CMYK", 400)), nil, mediafile.JPEG},
		"too great to go along":     {mediafile.JPEG, withProfile(mediatest.JPEG(40, 30), profile("RGB ", 200_000)), nil, mediafile.JPEG},
		"none":                      {mediafile.JPEG, mediatest.JPEG(40, 30), nil, mediafile.JPEG},
		"PNG":                       {mediafile.PNG, profiledPNG(encode(t, see), rgb), rgb, mediafile.PNG},
		"PNG that is opaque":        {mediafile.PNG, profiledPNG(mediatest.PNG(40, 30), rgb), rgb, mediafile.JPEG},
		"WebP":                      {mediafile.WebP, profiledWebP(rgb), rgb, mediafile.JPEG},
	} {
		content, info := drawn(t, store, put(t, store, test.format, test.content), 1)
		if got := mediafile.Profile(bytes.NewReader(content), info); !bytes.Equal(got, test.want) || info.Format != test.drawn {
			t.Errorf("%s: a profile of %d bytes in a %s, want %d in a %s", name, len(got), info.Format, len(test.want), test.drawn)
		}
		decode := map[mediafile.Format]func(*bytes.Reader) (image.Image, error){
			mediafile.JPEG: func(r *bytes.Reader) (image.Image, error) { return jpeg.Decode(r) },
			mediafile.PNG:  func(r *bytes.Reader) (image.Image, error) { return png.Decode(r) },
		}[info.Format]
		picture, err := decode(bytes.NewReader(content))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if _, isGrey := picture.(*image.Gray); isGrey != (name == "grey") {
			t.Errorf("%s: it is drawn as %T", name, picture)
		}
	}
}

func profiledPNG(content, profile []byte) []byte {
	// As in a PNG that no library packs: one block that is stored as it is.
	body := append([]byte("iCCPicc\x00\x00\x78\x01\x01"), byte(len(profile)), byte(len(profile)>>8), ^byte(len(profile)), ^byte(len(profile)>>8))
	body = append(body, profile...)
	a, b := uint32(1), uint32(0)
	for _, value := range profile {
		a = (a + uint32(value)) % 65521
		b = (b + a) % 65521
	}
	body = binary.BigEndian.AppendUint32(body, b<<16|a)
	return insertPNG(content, string(body[:4]), body[4:])
}

// insertPNG puts a chunk behind the header of a PNG.
func insertPNG(content []byte, kind string, body []byte) []byte {
	chunk := append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), append([]byte(kind), body...)...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
	return bytes.Join([][]byte{content[:33], chunk, content[33:]}, nil)
}

func profiledWebP(profile []byte) []byte {
	sample := mediatest.Sample(mediafile.WebP)
	body := []byte("VP8X\x0a\x00\x00\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00ICCP")
	body = append(binary.LittleEndian.AppendUint32(body, uint32(len(profile))), profile...)
	body = append(body, sample[12:]...)
	return append(append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body)+4)), "WEBP"...), body...)
}

// inkProfile turns four inks into colours by a table of two steps for each: all
// of them together make black, none makes white, and the first alone a colour
// that no formula gives. (ICC.1, lut8Type, to Lab.)
func inkProfile() []byte {
	lut := append([]byte("mft1\x00\x00\x00\x00\x04\x03\x02\x00"), make([]byte, 36)...)
	for i := range 3 { // a matrix that changes nothing
		binary.BigEndian.PutUint32(lut[12+16*i:], 1<<16)
	}
	ramp := make([]byte, 256)
	for i := range ramp {
		ramp[i] = byte(i)
	}
	for range 4 {
		lut = append(lut, ramp...)
	}
	for i := range 16 { // the last ink changes fastest
		light, a, b := byte(255), byte(128), byte(128)
		switch i {
		case 0:
		case 8: // the first alone
			light, a, b = 128, 208, 180
		default:
			light = 0
		}
		lut = append(lut, light, a, b)
	}
	for range 3 {
		lut = append(lut, ramp...)
	}
	head := make([]byte, 128)
	copy(head[8:], "\x02\x40\x00\x00prtrCMYKLab ")
	copy(head[36:], "acsp")
	copy(head[68:], "\x00\x00\xf6\xd6\x00\x01\x00\x00\x00\x00\xd3\x2d")
	binary.BigEndian.PutUint32(head, uint32(128+16+len(lut)))
	tags := []byte("\x00\x00\x00\x01A2B0")
	tags = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(tags, 128+16), uint32(len(lut)))
	return bytes.Join([][]byte{head, tags, lut}, nil)
}

// inkJPEG is a JPEG of four inks, of one colour (Adobe's, in which 255 is none).
func inkJPEG(inks [4]byte) []byte {
	b := []byte("\xff\xd8\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00")
	b = append(b, "\xff\xdb\x00\x43\x00"...)
	b = append(b, bytes.Repeat([]byte{1}, 64)...)
	b = append(b, "\xff\xc0\x00\x14\x08\x00\x08\x00\x08\x04\x01\x11\x00\x02\x11\x00\x03\x11\x00\x04\x11\x00"...)
	b = append(b, "\xff\xc4\x00\x1f\x00"...) // every size of a difference has a code of four bits
	b = append(b, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	b = append(b, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
	b = append(b, "\xff\xc4\x00\x14\x10\x01"...)
	b = append(b, make([]byte, 15)...)
	b = append(b, 0)
	b = append(b, "\xff\xda\x00\x0e\x04\x01\x00\x02\x00\x03\x00\x04\x00\x00\x3f\x00"...)
	var bits []byte
	put := func(value, n int) {
		for n--; n >= 0; n-- {
			bits = append(bits, byte(value>>n&1))
		}
	}
	for _, ink := range inks {
		level := (int(255-ink) - 128) * 8
		size := 0
		for v := int(math.Abs(float64(level))); v > 0; v >>= 1 {
			size++
		}
		put(size, 4)
		if level < 0 {
			level += 1<<size - 1
		}
		put(level, size)
		put(0, 1) // and nothing else in the block
	}
	for len(bits)%8 != 0 {
		bits = append(bits, 1)
	}
	for i := 0; i < len(bits); i += 8 {
		value := byte(0)
		for _, bit := range bits[i : i+8] {
			value = value<<1 | bit
		}
		if b = append(b, value); value == 0xff {
			b = append(b, 0)
		}
	}
	return append(b, 0xff, 0xd9)
}

// TestInks: a picture for the press is drawn in the colours that its profile
// says, and in plain ones where it has none that can be used.
func TestInks(t *testing.T) {
	t.Parallel()
	store, _ := open(t)
	broken := inkProfile()[:300]
	greedy := inkProfile()
	binary.BigEndian.PutUint32(greedy[128:], 1<<31) // tags
	far := inkProfile()
	binary.BigEndian.PutUint32(far[136:], 1<<31) // where the tag stands
	for name, test := range map[string]struct {
		content []byte
		want    color.RGBA
	}{
		"by its profile":           {withProfile(inkJPEG([4]byte{255, 0, 0, 0}), inkProfile()), color.RGBA{239, 0, 38, 255}},
		"white by its profile":     {withProfile(inkJPEG([4]byte{0, 0, 0, 0}), inkProfile()), color.RGBA{255, 255, 255, 255}},
		"black by its profile":     {withProfile(inkJPEG([4]byte{0, 0, 0, 255}), inkProfile()), color.RGBA{0, 0, 0, 255}},
		"without one":              {inkJPEG([4]byte{255, 0, 0, 0}), color.RGBA{0, 255, 255, 255}},
		"with half of one":         {withProfile(inkJPEG([4]byte{255, 0, 0, 0}), broken), color.RGBA{0, 255, 255, 255}},
		"with one that is greedy":  {withProfile(inkJPEG([4]byte{255, 0, 0, 0}), greedy), color.RGBA{0, 255, 255, 255}},
		"with one that leads away": {withProfile(inkJPEG([4]byte{255, 0, 0, 0}), far), color.RGBA{0, 255, 255, 255}},
		"called coloured":          {withProfile(inkJPEG([4]byte{255, 0, 0, 0}), profile("RGB ", 500)), color.RGBA{0, 255, 255, 255}},
	} {
		content, info := drawn(t, store, put(t, store, mediafile.JPEG, test.content), 4)
		picture, err := jpeg.Decode(bytes.NewReader(content))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		r, g, b, _ := picture.At(1, 1).RGBA()
		near := func(got uint32, want uint8) bool { return math.Abs(float64(got>>8)-float64(want)) <= 6 }
		if !near(r, test.want.R) || !near(g, test.want.G) || !near(b, test.want.B) || mediafile.Profile(bytes.NewReader(content), info) != nil {
			t.Errorf("%s: the colour is %d, %d, %d, want %v", name, r>>8, g>>8, b>>8, test.want)
		}
	}
}
