package mediafile_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"strings"
	"testing"

	"golang.org/x/image/webp"

	"github.com/etrainer/backend/pkg/media/mediatest"
	"github.com/etrainer/backend/pkg/mediafile"
)

// secret stands wherever a file may note a place.
const secret = "21.0285N 105.8542E"

// clean returns what Clean makes of a file, and whether that is another one.
func clean(t *testing.T, content []byte) (cleaned []byte, changed bool) {
	t.Helper()
	info, err := measure(t, content)
	if err != nil {
		t.Fatalf("measure: %v", err)
	}
	reader, size, err := mediafile.Clean(bytes.NewReader(content), info)
	if err != nil {
		t.Fatalf("clean: %v", err)
	}
	if reader == nil {
		if size != info.Size {
			t.Errorf("a size of %d is told of a file of %d that stays", size, info.Size)
		}
		return content, false
	}
	cleaned, err = io.ReadAll(reader)
	if err != nil || int64(len(cleaned)) != size {
		t.Errorf("%d bytes of %d, %v", len(cleaned), size, err)
	}
	return cleaned, true
}

// exif is what a telephone notes: how it was held, and where.
func exif(turn uint16, big bool) []byte {
	var order binary.AppendByteOrder = binary.LittleEndian
	b := []byte("II*\x00\x08\x00\x00\x00")
	if big {
		order, b = binary.BigEndian, []byte("MM\x00*\x00\x00\x00\x08")
	}
	entry := func(tag, kind uint16, count, value uint32) {
		b = order.AppendUint32(order.AppendUint32(order.AppendUint16(order.AppendUint16(b, tag), kind), count), value)
	}
	b = order.AppendUint16(b, 3)
	entry(0x010e, 2, uint32(len(secret)+1), 100) // a description
	b = order.AppendUint16(order.AppendUint16(b, 0x0112), 3)
	b = order.AppendUint16(order.AppendUint32(b, 1), turn)
	b = append(b, 0, 0)
	entry(0x8825, 4, 1, 50) // where the place is noted
	b = append(b, 0, 0, 0, 0)
	b = order.AppendUint16(b, 1)
	entry(0x001b, 7, uint32(len(secret)), 100)
	b = append(b, make([]byte, 100-len(b))...)
	return append(append(b, secret...), 0)
}

func segment(marker byte, body string) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(body)+2)), body...)
}

// decoders read what is left of a picture.
var decoders = map[mediafile.Format]func(io.Reader) (image.Image, error){
	mediafile.JPEG: jpeg.Decode, mediafile.PNG: png.Decode, mediafile.GIF: gif.Decode, mediafile.WebP: webp.Decode,
}

// same reports whether two files show the same pixels.
func same(t *testing.T, format mediafile.Format, before, after []byte) bool {
	t.Helper()
	a, err := decoders[format](bytes.NewReader(before))
	if err != nil {
		t.Fatalf("the picture before: %v", err)
	}
	b, err := decoders[format](bytes.NewReader(after))
	if err != nil {
		t.Errorf("the picture after: %v", err)
		return false
	}
	if a.Bounds() != b.Bounds() {
		return false
	}
	for y := a.Bounds().Min.Y; y < a.Bounds().Max.Y; y++ {
		for x := a.Bounds().Min.X; x < a.Bounds().Max.X; x++ {
			r, g, bl, al := a.At(x, y).RGBA()
			r2, g2, bl2, al2 := b.At(x, y).RGBA()
			if r != r2 || g != g2 || bl != bl2 || al != al2 {
				return false
			}
		}
	}
	return true
}

// telephone is a JPEG with everything that telephones and programs add.
func telephone(turn uint16, big bool, order ...int) []byte {
	jpg := mediatest.JPEG(40, 30)
	parts := [][]byte{
		segment(0xe0, "JFIF\x00\x01\x02\x00\x00\x48\x00\x48\x00\x00"),
		segment(0xe1, "Exif\x00\x00"+string(exif(turn, big))),
		segment(0xe1, "http://ns.adobe.com/xap/1.0/\x00<x:xmpmeta>"+secret+"</x:xmpmeta>"),
		segment(0xe1, "http://ns.adobe.com/xmp/extension/\x00"+secret),
		segment(0xe2, "MPF\x00"+secret),
		segment(0xe2, "ICC_PROFILE\x00\x01\x02the first half, "),
		segment(0xed, "Photoshop 3.0\x008BIM"+secret),
		segment(0xfe, "a comment of "+secret),
		segment(0xe0, "JFXX\x00\x10"+secret),
		segment(0xe2, "ICC_PROFILE\x00\x02\x02and the other"),
		segment(0xef, secret),
	}
	b := jpg[:2:2]
	for i := range parts {
		if len(order) > 0 {
			i = order[i%len(order)]
		}
		b = append(b, parts[i]...)
	}
	b = append(b, jpg[2:]...)
	return append(b, "\x00\x00\x00\x18ftypmp42 the film of a motion photo, taken at "+secret...)
}

// chunkPNG is a chunk of a PNG.
func chunkPNG(kind, body string) []byte {
	b := append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), kind+body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// inserted puts chunks into a PNG, behind its header and before its end.
func inserted(pngFile []byte, early, late string) []byte {
	const head = 8 + 25
	end := len(pngFile) - 12
	return []byte(string(pngFile[:head]) + early + string(pngFile[head:end]) + late + string(pngFile[end:]))
}

// TestPlacesAreRemoved: nothing that a telephone notes is left of a picture, and
// every pixel, the colours, and how it lies.
func TestPlacesAreRemoved(t *testing.T) {
	t.Parallel()
	plain := mediatest.PNG(40, 30)
	notes := string(chunkPNG("tEXt", "Comment\x00"+secret)) + string(chunkPNG("iTXt", "XML:com.adobe.xmp\x00\x00\x00\x00\x00"+secret)) +
		string(chunkPNG("tIME", "\x07\xea\x01\x02\x03\x04\x05")) + string(chunkPNG("prVt", secret))
	profile := string(chunkPNG("iCCP", "icc\x00\x00x\x9c\x03\x00\x00\x00\x00\x01"))
	sample := mediatest.Sample(mediafile.WebP)
	extended := func(flags byte, more ...[]byte) []byte {
		body := append([]byte("VP8X\x0a\x00\x00\x00"), flags, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		body = append(append(body, sample[12:]...), bytes.Join(more, nil)...)
		return append(append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body)+4)), "WEBP"...), body...)
	}
	moving := mediatest.Report(t, "anim.gif")
	at := bytes.IndexByte(moving, 0x21)
	comment := "\x21\xfe" + string(rune(len(secret))) + secret + "\x00"
	for name, test := range map[string]struct {
		content []byte
		turn    int
		keeps   []string
	}{
		"JPEG":               {telephone(6, false), 6, []string{"JFIF", "the first half", "and the other"}},
		"JPEG of Motorola":   {telephone(3, true), 3, []string{"JFIF", "the first half"}},
		"JPEG, upright":      {telephone(1, false), 1, []string{"JFIF"}},
		"JPEG in disorder":   {telephone(8, false, 7, 3, 1, 6, 0, 4, 2, 5, 9), 8, []string{"JFIF", "and the other"}},
		"PNG":                {inserted(plain, profile+string(chunkPNG("eXIf", string(exif(6, true))))+notes, notes), 6, []string{"iCCP"}},
		"PNG, told late":     {inserted(plain, notes, string(chunkPNG("eXIf", string(exif(5, false))))), 5, nil},
		"PNG, told wrongly":  {inserted(plain, "", string(chunkPNG("eXIf", "Exif\x00\x00"+string(exif(7, false))))), 7, nil},
		"PNG with a tail":    {append(bytes.Clone(plain), secret...), 1, nil},
		"WebP":               {extended(12, chunk("EXIF", uint32(len(exif(6, false))), append(exif(6, false), 0)), chunk("XMP ", uint32(len(secret)), []byte(secret))), 6, nil},
		"WebP, told wrongly": {extended(8, chunk("EXIF", uint32(len(exif(8, true))+6), append([]byte("Exif\x00\x00"+string(exif(8, true))), 0))), 8, nil},
		"WebP with a tail":   {append(bytes.Clone(sample), secret...), 1, nil},
		"GIF":                {[]byte(string(moving[:at]) + comment + string(moving[at:]) + secret), 1, nil},
	} {
		info, err := measure(t, test.content)
		if err != nil || info.Turn != test.turn {
			t.Errorf("%s: %+v, %v; want the turn %d", name, info, err, test.turn)
			continue
		}
		cleaned, changed := clean(t, test.content)
		if !changed || bytes.Contains(cleaned, []byte(secret)) {
			t.Errorf("%s: the place is still in it", name)
		}
		after, err := measure(t, cleaned)
		if err != nil || after.Turn != test.turn || after.Width != info.Width || after.Height != info.Height || after.Moves != info.Moves {
			t.Errorf("%s: %+v, %v; it was %+v", name, after, err, info)
		}
		if !same(t, info.Format, test.content, cleaned) {
			t.Errorf("%s: the pixels are others", name)
		}
		for _, kept := range test.keeps {
			if !bytes.Contains(cleaned, []byte(kept)) {
				t.Errorf("%s: %q is gone", name, kept)
			}
		}
		if again, changed := clean(t, cleaned); changed {
			t.Errorf("%s: a clean file changes from %d to %d bytes", name, len(cleaned), len(again))
		}
	}
}

// TestCleanFilesStay: what has nothing to take out keeps every byte.
func TestCleanFilesStay(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"base.jpg", "icc.jpg", "gray22.jpg", "s_221112.jpg", "s_410.jpg", "apng.png", "anim.gif", "exif6.webp"} {
		if _, changed := clean(t, mediatest.Report(t, name)); changed {
			t.Errorf("%s is changed", name)
		}
	}
	for _, format := range []mediafile.Format{mediafile.JPEG, mediafile.PNG, mediafile.GIF, mediafile.WebP} {
		if _, changed := clean(t, mediatest.Sample(format)); changed {
			t.Errorf("the sample of %s is changed", format)
		}
	}
	for turn := uint16(2); turn <= 8; turn++ {
		if _, changed := clean(t, mediatest.Turned(mediatest.JPEG(8, 8), turn)); changed {
			t.Errorf("a JPEG of the turn %d is changed", turn)
		}
	}
}

// TestHeightBehindTheData: a scanner that tells the height at the end makes a
// picture that every program opens when it is clean.
func TestHeightBehindTheData(t *testing.T) {
	t.Parallel()
	before := mediatest.Report(t, "dnl.jpg")
	if _, err := jpeg.Decode(bytes.NewReader(before)); err == nil {
		t.Fatal("Go reads it as it is: the test proves nothing")
	}
	cleaned, changed := clean(t, before)
	picture, err := jpeg.Decode(bytes.NewReader(cleaned))
	if !changed || err != nil || picture.Bounds() != image.Rect(0, 0, 640, 400) {
		t.Errorf("%v, %v", picture, err)
	}
}

// TestProfiles: the colour profile of each format is read, in whatever pieces.
func TestProfiles(t *testing.T) {
	t.Parallel()
	reversed := telephone(1, false, 9, 5)
	for name, test := range map[string]struct {
		content []byte
		want    string
	}{
		"two pieces":          {telephone(1, false), "the first half, and the other"},
		"two, the last first": {reversed, "the first half, and the other"},
		"none":                {mediatest.JPEG(8, 8), ""},
		"no number":           {append(append([]byte("\xff\xd8"), segment(0xe2, "ICC_PROFILE\x00")...), mediatest.JPEG(8, 8)[2:]...), ""},
		"a PNG whose is cut":  {inserted(mediatest.PNG(4, 4), string(chunkPNG("iCCP", "icc\x00\x00x\x9c\x03")), ""), ""},
	} {
		info, err := measure(t, test.content)
		if err != nil {
			t.Fatal(err)
		}
		if got := mediafile.Profile(bytes.NewReader(test.content), info); string(got) != test.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestCutSmall: a file of a hundred thousand parts is refused, and not copied in
// as many pieces.
func TestCutSmall(t *testing.T) {
	t.Parallel()
	jpg := mediatest.JPEG(8, 8)
	small := strings.Repeat(string(segment(0xfe, "x"))+string(segment(0xdd, "\x00\x00")), 30_000)
	content := []byte(string(jpg[:2]) + small + string(jpg[2:]))
	info := mediafile.Info{Format: mediafile.JPEG, Size: int64(len(content))}
	if _, _, err := mediafile.Clean(bytes.NewReader(content), info); err == nil {
		t.Error("it is taken")
	}
}
