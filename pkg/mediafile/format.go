package mediafile

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

// ContentType is what files of the format are served as; "" = unknown. A text
// in another encoding than UTF-8 is served as [TextType] says.
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
