package mediafile

import (
	"bytes"
	"io"
)

// pdfMark begins a PDF. Readers take one within the first kilobyte, too.
var pdfMark = []byte("%PDF-")

const (
	pdfSearch = 1 << 10
	pdfTail   = 2 << 10
)

// measurePDF tells a PDF from a text that writes of PDF: the mark begins the
// file, or it follows something foreign and the file ends as a PDF does.
func measurePDF(file io.ReaderAt, info *Info) error {
	head := readAt(file, 0, HeadSize)
	text := bytes.TrimLeft(bytes.TrimPrefix(head, markUTF8), "\t\n\f\r \x00")
	if bytes.HasPrefix(text, pdfMark) {
		return nil
	}
	tail := readAt(file, max(info.Size-pdfTail, 0), pdfTail)
	if at := bytes.Index(head, pdfMark); at > 0 && at <= pdfSearch && !isLetter(head[at-1]) && bytes.Contains(tail, []byte("%%EOF")) {
		return nil
	}
	if text, ok := plain(head, len(head) >= HeadSize); ok && inert(text) == TXT {
		info.Format = TXT
		return nil
	}
	return notTaken("mentions a PDF and is none")
}

// isLetter reports whether a mark behind this byte stands within a line.
func isLetter(b byte) bool { return b >= ' ' }
