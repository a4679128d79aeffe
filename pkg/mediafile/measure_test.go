package mediafile_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/etrainer/backend/pkg/media/mediatest"
	"github.com/etrainer/backend/pkg/mediafile"
)

func measure(t *testing.T, content []byte) (mediafile.Info, error) {
	t.Helper()
	return mediafile.Measure(bytes.NewReader(content), int64(len(content)), mediafile.Sniff(content[:min(len(content), mediafile.HeadSize)]))
}

// TestEveryFormat: each is told by its first bytes, and measured.
func TestEveryFormat(t *testing.T) {
	t.Parallel()
	type want struct {
		width, height int
		seconds       float64
	}
	for format, w := range map[mediafile.Format]want{
		mediafile.JPEG: {40, 30, 0}, mediafile.PNG: {40, 30, 0}, mediafile.GIF: {40, 30, 0}, mediafile.WebP: {1, 1, 0},
		mediafile.WAV: {0, 0, 2}, mediafile.MP3: {0, 0, 2.606}, mediafile.OGG: {0, 0, 3},
		mediafile.M4A: {0, 0, 4.5}, mediafile.MP4: {320, 240, 4.5}, mediafile.MOV: {320, 240, 4.5},
		mediafile.AVI: {64, 48, 2}, mediafile.WMV: {64, 48, 2.5},
		mediafile.PDF: {}, mediafile.DOC: {}, mediafile.DOCX: {}, mediafile.TXT: {},
	} {
		content := mediatest.Sample(format)
		info, err := measure(t, content)
		if err != nil || info.Format != format || info.Size != int64(len(content)) || info.Width != w.width || info.Height != w.height || !mediatest.Near(info.Duration, w.seconds) {
			t.Errorf("%s is measured as %+v, %v; want %+v", format, info, err, w)
		}
		if format.ContentType() == "" {
			t.Errorf("%s has no content type", format)
		}
	}
	if all := mediafile.Formats(); len(all) != 16 {
		t.Errorf("%d formats, and 16 are tested: %v", len(all), all)
	}
}

// TestWhatIsNoneOfOurs: what a browser would act on is not taken for a text.
func TestWhatIsNoneOfOurs(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"nothing":          "",
		"SVG with script":  `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`,
		"SVG behind XML":   `<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`,
		"HTML":             "<!DOCTYPE html><script>alert(1)</script>",
		"HTML behind room": "   \n\t<html><body onload=alert(1)>",
		"PHP":              "<?php system($_GET['c']);",
		"program":          "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 60),
		"ZIP":              "PK\x03\x04" + strings.Repeat("\x00", 60),
		"bytes":            "\x00\x01\x02\x03\xff\xfe\xfd",
	} {
		if format := mediafile.Sniff([]byte(content)); format != "" {
			t.Errorf("%s is taken for %s", name, format)
		}
	}
	for name, content := range map[string]string{"CSV": "a,b,c\n1,2,3\n4,5,6\n", "JSON": `{"a":1}`, "UTF-8": "Xin chào các bạn"} {
		if format := mediafile.Sniff([]byte(content)); format != mediafile.TXT {
			t.Errorf("%s is taken for %q, want a text", name, format)
		}
	}
}

// TestPictures that claim too much, or are not what they begin like.
func TestPictures(t *testing.T) {
	t.Parallel()
	if _, err := measure(t, mediatest.ClaimingPNG(32000, 32000)); !errors.Is(err, mediafile.ErrTooLarge) {
		t.Errorf("a billion pixels: %v", err)
	}
	if _, err := measure(t, append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, 100)...)); !errors.Is(err, mediafile.ErrDamaged) {
		t.Errorf("a PNG without a header: %v", err)
	}
	if _, err := measure(t, mediatest.PNG(40, 30)[:20]); !errors.Is(err, mediafile.ErrDamaged) {
		t.Errorf("a cut PNG: %v", err)
	}
}

// FuzzMeasure: whatever the bytes say, the answer is within bounds.
func FuzzMeasure(f *testing.F) {
	for _, format := range mediafile.Formats() {
		f.Add(mediatest.Sample(format), string(format))
	}
	f.Add(mediatest.ClaimingPNG(32000, 32000), "png")
	seeds(f, func(name string, content []byte) { f.Add(content, name[strings.LastIndexByte(name, '.')+1:]) })
	f.Add(bytes.Join([][]byte{id3([]byte("x")), frames(5, 3, 9, 417), ape([]byte("x"), true)}, nil), "mp3")
	f.Add(ogg(opus(1, 1<<40, 1)...), "ogg")
	f.Add(ogg(vorbis(1<<40, 1)...), "ogg")
	f.Fuzz(func(t *testing.T, content []byte, format string) {
		sniffed := mediafile.Sniff(content[:min(len(content), mediafile.HeadSize)])
		for _, as := range []mediafile.Format{sniffed, mediafile.Format(format)} {
			info, err := mediafile.Measure(bytes.NewReader(content), int64(len(content)), as)
			if err == nil && (info.Width < 0 || info.Height < 0 || info.Duration < 0 || info.Duration > 366*24*3600 || info.Turn > 8 || info.Memory < 0) {
				t.Errorf("%s: %+v", as, info)
			}
		}
		if reason := mediafile.Describe(content[:min(len(content), mediafile.HeadSize)]); reason == "" {
			t.Error("there is nothing to say")
		}
		_ = mediafile.TextType(bytes.NewReader(content))
	})
}
