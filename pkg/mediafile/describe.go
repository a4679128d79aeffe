package mediafile

import (
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

// NotTakenError means that a file is sound, and nothing that is taken. Reason
// completes "the file …" and is fit for users.
type NotTakenError struct{ Reason string }

// Error implements error.
func (e *NotTakenError) Error() string { return "the file " + e.Reason }

// known are the formats that people send most often and that are not taken,
// and what mends that.
var known = []struct{ name, reason string }{
	{"image/heic", "is a picture in HEIC; let the telephone take pictures as JPEG (on an iPhone: Settings, Camera, Formats, Most Compatible), or convert it"},
	{"image/heif", "is a picture in HEIF; let the telephone take pictures as JPEG, or convert it"},
	{"image/heic-sequence", "is a picture in HEIC; convert it to JPEG"},
	{"image/heif-sequence", "is a picture in HEIF; convert it to JPEG"},
	{"image/avif", "is a picture in AVIF; convert it to JPEG"},
	{"image/jxl", "is a picture in JPEG XL; convert it to JPEG"},
	{"image/tiff", "is a picture in TIFF; convert it to JPEG or PNG"},
	{"image/bmp", "is a picture in BMP; convert it to PNG"},
	{"image/svg+xml", "is a drawing in SVG, which may hold programs"},
	{"audio/flac", "is a sound in FLAC; convert it to MP3"},
	{"audio/aac", "is a sound in AAC without a container; convert it to M4A"},
	{"audio/amr", "is a sound in AMR; convert it to MP3"},
	{"audio/aiff", "is a sound in AIFF; convert it to WAV"},
	{"audio/midi", "holds notes (MIDI) and no sound"},
	{"video/webm", "is a film in WebM; convert it to MP4"},
	{"video/x-matroska", "is a film in Matroska; convert it to MP4"},
	{"video/3gpp", "is a film in 3GP; convert it to MP4"},
	{"video/3gpp2", "is a film in 3G2; convert it to MP4"},
	{"video/mpeg", "is a film in MPEG; convert it to MP4"},
	{"video/x-flv", "is a film in FLV; convert it to MP4"},
	{"text/html", "is a page in HTML, which browsers act on"},
	{"text/xml", "is XML, which browsers act on"},
	{"text/x-php", "is a program in PHP"},
	{"text/rtf", "is a document in RTF; save it as DOCX"},
	{"application/vnd.oasis.opendocument.text", "is a document in ODT; save it as DOCX"},
	{"application/zip", "is a ZIP archive"},
}

// names are what the formats are called in sentences.
var names = map[Format]string{
	JPEG: "a picture in JPEG", PNG: "a picture in PNG", GIF: "a picture in GIF", WebP: "a picture in WebP",
	MP3: "a sound in MP3", WAV: "a sound in WAV", OGG: "a sound in Ogg", M4A: "a sound in M4A",
	MP4: "a film in MP4", MOV: "a film in QuickTime", AVI: "a film in AVI", WMV: "a film in WMV",
	PDF: "a PDF", DOC: "a document in DOC", DOCX: "a document in DOCX", TXT: "a plain text",
}

// Describe says what a file is by its first bytes, where that is not what was
// wanted: "is a picture in HEIC; …". It completes "the file …".
func Describe(head []byte) string {
	if len(head) == 0 {
		return "is empty"
	}
	if format := Sniff(head); format != "" {
		return format.Describe()
	}
	if reason := describeISO(head); reason != "" {
		return reason
	}
	text, _ := plain(head, len(head) >= HeadSize)
	for found := mimetype.Detect(text); found != nil; found = found.Parent() {
		for _, k := range known {
			if found.Is(k.name) {
				return k.reason
			}
		}
		if !found.Is("application/octet-stream") {
			name, _, _ := strings.Cut(found.String(), ";")
			return "is of the type " + name
		}
	}
	return "is of no type that is known here"
}

// Describe says what files of the format are; it completes "the file …".
func (f Format) Describe() string { return "is " + names[f] }
