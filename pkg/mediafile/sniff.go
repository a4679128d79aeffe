package mediafile

import (
	"bytes"
	"slices"

	"github.com/gabriel-vasile/mimetype"
)

func init() { mimetype.SetLimit(HeadSize) }

// sniffed are the names that the library has for our formats. A WMV and a WMA
// have the same beginning; Measure tells them apart.
var sniffed = map[string]Format{
	"image/jpeg": JPEG, "image/png": PNG, "image/vnd.mozilla.apng": PNG, "image/gif": GIF, "image/webp": WebP,
	"audio/mpeg": MP3, "audio/wav": WAV, "audio/ogg": OGG, "video/ogg": OGG, "application/ogg": OGG,
	"video/x-msvideo": AVI, "video/x-ms-asf": WMV,
}

// Sniff tells by the first bytes what a file may be, and "" for anything that
// is none of our formats: an SVG or an HTML page is not a text here. The
// declared type and the name do not matter. What a ZIP, a compound file or an
// MP4 really is shows only when Measure sees the whole file.
func Sniff(head []byte) Format {
	switch {
	case len(head) == 0:
		return ""
	case looksLikeText(head):
		return sniffText(head)
	case isCompound(head):
		return DOC
	case isArchive(head):
		return DOCX
	case len(head) >= 12 && string(head[:4]) == "RF64" && string(head[8:12]) == "WAVE":
		return WAV
	}
	if format, is := sniffISO(head); is {
		return format
	}
	found := mimetype.Detect(head)
	for name, format := range sniffed {
		if found.Is(name) {
			return format
		}
	}
	switch {
	case bytes.Contains(head[:min(len(head), pdfSearch)], pdfMark):
		return PDF
	case beginsWithFrames(head):
		return MP3
	case found.Is("text/plain") && !slices.ContainsFunc(active, found.Is): // in an old encoding
		return TXT
	}
	return ""
}
