package mediafile

import (
	"slices"

	"github.com/gabriel-vasile/mimetype"
)

// Format is a file format, named by its usual extension.
type Format string

// The formats that are told apart. Anything else is "".
const (
	JPEG Format = "jpg"
	PNG  Format = "png"
	GIF  Format = "gif"
	WebP Format = "webp"
	MP3  Format = "mp3"
	WAV  Format = "wav"
	OGG  Format = "ogg"
	M4A  Format = "m4a"
	MP4  Format = "mp4"
	MOV  Format = "mov"
	AVI  Format = "avi"
	WMV  Format = "wmv"
	PDF  Format = "pdf"
	DOC  Format = "doc"
	DOCX Format = "docx"
	TXT  Format = "txt"
)

// contentTypes are what files of a format are served as.
var contentTypes = map[Format]string{
	JPEG: "image/jpeg", PNG: "image/png", GIF: "image/gif", WebP: "image/webp",
	MP3: "audio/mpeg", WAV: "audio/wav", OGG: "audio/ogg", M4A: "audio/mp4",
	MP4: "video/mp4", MOV: "video/quicktime", AVI: "video/x-msvideo", WMV: "video/x-ms-wmv",
	PDF: "application/pdf", DOC: "application/msword",
	DOCX: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	TXT:  "text/plain; charset=utf-8",
}

// ContentType is what files of the format are served as; "" = unknown.
func (f Format) ContentType() string { return contentTypes[f] }

// Formats lists all, in no order.
func Formats() []Format {
	formats := make([]Format, 0, len(contentTypes))
	for format := range contentTypes {
		formats = append(formats, format)
	}
	return formats
}

// HeadSize is how many bytes Sniff wants to see, if the file has them.
const HeadSize = 16 << 10

func init() { mimetype.SetLimit(HeadSize) }

// sniffed are the names that the library has for our formats. A WMV and a WMA
// have the same beginning, and so have an MP4 and most M4A; Measure tells the
// latter apart.
var sniffed = map[string]Format{
	"image/jpeg": JPEG, "image/png": PNG, "image/gif": GIF, "image/webp": WebP,
	"audio/mpeg": MP3, "audio/wav": WAV, "audio/ogg": OGG, "video/ogg": OGG, "application/ogg": OGG,
	"audio/x-m4a": M4A, "audio/mp4": M4A, "video/mp4": MP4, "video/x-m4v": MP4, "video/quicktime": MOV,
	"video/x-msvideo": AVI, "video/x-ms-asf": WMV, "application/pdf": PDF, "application/msword": DOC,
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document": DOCX,
}

// active are the texts that browsers would act on, or that are no plain text.
var active = []string{"text/html", "text/xml", "text/x-php", "text/rtf"}

// Sniff tells the format by the first bytes, and "" for anything that is not
// one of ours: an SVG or an HTML page is not a text here. The declared type
// and the name do not matter.
func Sniff(head []byte) Format {
	if len(head) == 0 {
		return ""
	}
	found := mimetype.Detect(head)
	for name, format := range sniffed {
		if found.Is(name) {
			return format
		}
	}
	if isText(found) {
		return TXT
	}
	return ""
}

// isText reports whether it is a text, of whatever inert sort: a list of
// values with commas between is a text too.
func isText(found *mimetype.MIME) bool {
	for ; found != nil; found = found.Parent() {
		if slices.ContainsFunc(active, found.Is) || found.Is("image/svg+xml") {
			return false
		}
		if found.Is("text/plain") {
			return true
		}
	}
	return false
}
