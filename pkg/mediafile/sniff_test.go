package mediafile_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/etrainer/backend/pkg/media/mediatest"
	"github.com/etrainer/backend/pkg/mediafile"
)

// inUTF16 is a text as Notepad's "Unicode" writes it.
func inUTF16(text string, big bool) []byte {
	low, high := 0, 8
	if big {
		low, high = 8, 0
	}
	var b bytes.Buffer
	for _, unit := range append([]uint16{0xfeff}, utf16.Encode([]rune(text))...) {
		b.Write([]byte{byte(unit >> low), byte(unit >> high)})
	}
	return b.Bytes()
}

// TestTextsAboutFormats: a text is a text, whatever it begins with, and is
// served in its encoding.
func TestTextsAboutFormats(t *testing.T) {
	t.Parallel()
	vietnamese := "Bài học một: động từ. "
	for name, test := range map[string]struct {
		content     []byte
		contentType string
	}{
		"GIF":               {[]byte("GIF89a File Specification"), "text/plain; charset=utf-8"},
		"RIFF":              {[]byte("RIFF as WAVE container"), "text/plain; charset=utf-8"},
		"MIDI":              {[]byte("MThd begins MIDI"), "text/plain; charset=utf-8"},
		"BMP":               {[]byte("BMP File Specification"), "text/plain; charset=utf-8"},
		"ID3":               {[]byte("ID3 is easy to detect"), "text/plain; charset=utf-8"},
		"ZIP":               {[]byte("PK\x20archives begin so"), "text/plain; charset=utf-8"},
		"Ogg":               {[]byte("OggS pages begin so"), "text/plain; charset=utf-8"},
		"FLAC":              {[]byte("fLaC is lossless"), "text/plain; charset=utf-8"},
		"Photoshop":         {[]byte("8BPS files begin so"), "text/plain; charset=utf-8"},
		"ftyp":              {[]byte("    ftypisom is how films begin"), "text/plain; charset=utf-8"},
		"PDF in a line":     {[]byte("The %PDF-1.4 mark is at the start of each PDF file."), "text/plain; charset=utf-8"},
		"PDF at a line":     {[]byte("Each file begins with\n%PDF-1.4\nand ends with a mark."), "text/plain; charset=utf-8"},
		"PostScript":        {[]byte("%!PS is how PostScript begins"), "text/plain; charset=utf-8"},
		"UTF-8 with a mark": {append([]byte("\xef\xbb\xbf"), vietnamese...), "text/plain; charset=utf-8"},
		"long":              {[]byte(strings.Repeat(vietnamese, 2000)), "text/plain; charset=utf-8"},
		"UTF-16LE":          {inUTF16(vietnamese, false), "text/plain; charset=utf-16le"},
		"UTF-16BE":          {inUTF16(vietnamese, true), "text/plain; charset=utf-16be"},
		"UTF-16 of faces":   {inUTF16(strings.Repeat("🙂", 9000), false), "text/plain; charset=utf-16le"},
		"Latin-1":           {[]byte("caf\xe9 cr\xe8me et plus de lettres"), "text/plain"},
		"Latin-1, late":     {append(bytes.Repeat([]byte("plain letters. "), 2000), "caf\xe9"...), "text/plain"},
		"one letter":        {[]byte("a"), "text/plain; charset=utf-8"},
	} {
		info, err := measure(t, test.content)
		if err != nil || info.Format != mediafile.TXT {
			t.Errorf("%s is taken for %q, %v", name, info.Format, err)
		}
		if got := mediafile.TextType(bytes.NewReader(test.content)); got != test.contentType {
			t.Errorf("%s is served as %q, want %q", name, got, test.contentType)
		}
	}
	for name, content := range map[string][]byte{
		"page in UTF-16":      inUTF16("<!DOCTYPE html><script>alert(1)</script>", false),
		"drawing in UTF-16":   inUTF16(`<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>`, true),
		"page about PDF":      []byte("<html><body>\n%PDF-1.4 begins a file</body></html>"),
		"page that ends so":   []byte("<html><body>\n%PDF-1.4 begins a file\n</body></html>"),
		"text with a control": []byte("a\x01b\x02c\x03\x00\x00"),
	} {
		if info, err := measure(t, content); err == nil && info.Format != "" {
			t.Errorf("%s is taken for %q", name, info.Format)
		}
	}
}

// TestWhereAPDFBegins: readers take one behind some foreign bytes, and so is it
// here, as long as it ends like one.
func TestWhereAPDFBegins(t *testing.T) {
	t.Parallel()
	pdf := string(mediatest.Sample(mediafile.PDF))
	for name, content := range map[string]string{
		"at once": pdf, "behind spaces": " \r\n\t" + pdf, "behind a mark": "\xef\xbb\xbf" + pdf, "behind zeros": "\x00\x00" + pdf,
		"behind a letter's head": "Content-Type: application/pdf\r\nSubject: homework\r\n\r\n" + pdf,
		"behind Mac bytes":       "TEXTmdos \x00" + pdf,
		"with picture data":      pdf + "\x00\x01\x02\xff" + strings.Repeat("\x00", 100),
	} {
		if info, err := measure(t, []byte(content)); err != nil || info.Format != mediafile.PDF {
			t.Errorf("%s: %q, %v", name, info.Format, err)
		}
	}
}

// TestBrands: an MP4 is one whatever program made it; pictures in the same boxes
// are none.
func TestBrands(t *testing.T) {
	t.Parallel()
	head := func(brand string) []byte { return []byte("\x00\x00\x00\x18ftyp" + brand + "\x00\x00\x00\x00isommp42") }
	for brand, want := range map[string]mediafile.Format{
		"isom": "mp4", "iso6": "mp4", "mp42": "mp4", "avc1": "mp4", "dash": "mp4", "MSNV": "mp4", "hvc1": "mp4", "M4V ": "mp4", "NEW!": "mp4",
		"M4A ": "m4a", "M4B ": "m4a", "M4P ": "m4a", "qt  ": "mov",
		"heic": "", "heix": "", "mif1": "", "msf1": "", "avif": "", "avis": "", "crx ": "", "jp2 ": "", "3gp5": "", "3g2a": "",
	} {
		if got := mediafile.Sniff(head(brand)); got != want {
			t.Errorf("the brand %q is taken for %q, want %q", brand, got, want)
		}
		if reason := mediafile.Describe(head(brand)); reason == "" || want == "" && !strings.Contains(reason, "convert it") {
			t.Errorf("the brand %q: the file %s", brand, reason)
		}
	}
}

// TestDescribe: a refusal names what the file is.
func TestDescribe(t *testing.T) {
	t.Parallel()
	for want, content := range map[string]string{
		"is empty":   "",
		"HEIC":       "\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic",
		"HEIF":       "\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1",
		"AVIF":       "\x00\x00\x00\x18ftypavif\x00\x00\x00\x00avifmif1",
		"3GP":        "\x00\x00\x00\x18ftyp3gp5\x00\x00\x00\x003gp5",
		"TIFF":       "II*\x00\x08\x00\x00\x00",
		"BMP":        "BM\x76\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00",
		"SVG":        `<svg xmlns="http://www.w3.org/2000/svg"/>`,
		"HTML":       "<!DOCTYPE html><p>",
		"PHP":        "<?php echo 1;",
		"RTF":        `{\rtf1\ansi}`,
		"FLAC":       "fLaC\x00\x00\x00\x22\x10\x00\x10\x00",
		"WebM":       "\x1a\x45\xdf\xa3\x01\x00\x00\x00\x00\x00\x00\x1f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82\x84webm",
		"a PDF":      "%PDF-1.4\n",
		"PNG":        string(mediatest.PNG(1, 1)),
		"no type":    "\x00\x01\x02\x03\xff\xfe\xfd",
		"plain text": "words",
	} {
		if got := mediafile.Describe([]byte(content)); !strings.Contains(got, want) {
			t.Errorf("the file %s; want that it says %q", got, want)
		}
	}
	for _, format := range mediafile.Formats() {
		if got := format.Describe(); len(got) < 8 {
			t.Errorf("%s: the file %s", format, got)
		}
	}
}
