package mediafile

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"io"
	"slices"
)

// pngMark begins every PNG.
var pngMark = []byte("\x89PNG\r\n\x1a\n")

// pngKept are the chunks that say what the picture looks like, those of an
// animation included (PNG, third edition). All others are notes.
var pngKept = []string{
	"IHDR", "PLTE", "IDAT", "IEND", "tRNS", "cHRM", "gAMA", "iCCP", "sBIT", "sRGB", "cICP", "mDCV", "cLLI",
	"bKGD", "hIST", "pHYs", "sPLT", "acTL", "fcTL", "fdAT",
}

// mostChunks is how many chunks are visited: a picture of ten megabytes in
// pieces of some hundred bytes.
const mostChunks = 100_000

// walkPNG visits the chunks up to the end of the picture. Exif may stand behind
// the data, so that all are visited for a measure, too.
func walkPNG(file io.ReaderAt, size int64, _ bool) (*parts, error) {
	if !bytes.Equal(readAt(file, 0, len(pngMark)), pngMark) {
		return nil, damaged("its header cannot be read")
	}
	p := &parts{}
	p.kept.keep(0, int64(len(pngMark)))
	at := int64(len(pngMark))
	for range mostChunks {
		head := readAt(file, at, 8)
		if len(head) < 8 {
			return p, nil
		}
		kind, end := string(head[4:]), min(at+12+int64(binary.BigEndian.Uint32(head)), size)
		p.pngChunk(file, kind, at, end)
		if at = end; kind == "IEND" || at >= size {
			return p, nil
		}
	}
	return nil, errTooManyParts
}

func (p *parts) pngChunk(file io.ReaderAt, kind string, at, end int64) {
	switch kind {
	case "acTL":
		if b := readAt(file, at+8, 4); len(b) == 4 {
			p.frames = int(binary.BigEndian.Uint32(b))
		}
	case "iCCP":
		p.profile = pngProfile(readAt(file, at+8, int(min(end-at-12, mostProfile))))
	case "eXIf":
		if p.turn != 0 {
			return // one that is told twice is told by the first
		}
		exif := readAt(file, at+8, int(min(end-at-12, mostExif)))
		p.turn = orientation(exif)
		switch short := exifOf(p.turn); {
		case p.turn <= 1:
		case bytes.Equal(exif, short):
			p.kept.keep(at, end)
		default:
			p.kept.put(pngChunk(kind, short))
		}
		return
	}
	if slices.Contains(pngKept, kind) {
		p.kept.keep(at, end)
	}
}

// pngChunk is a chunk with its checksum.
func pngChunk(kind string, body []byte) []byte {
	chunk := append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), kind...)
	chunk = append(chunk, body...)
	return binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
}

// mostProfile is the greatest colour profile that is read. Those of printers
// have some hundred kilobytes.
const mostProfile = 4 << 20

// pngProfile unpacks a profile: its name, a zero, the method (0), the data.
func pngProfile(body []byte) []byte {
	_, packed, found := bytes.Cut(body, []byte{0})
	if !found || len(packed) < 1 || packed[0] != 0 {
		return nil
	}
	reader, err := zlib.NewReader(bytes.NewReader(packed[1:]))
	if err != nil {
		return nil
	}
	profile, err := io.ReadAll(io.LimitReader(reader, mostProfile+1))
	if err != nil || len(profile) > mostProfile {
		return nil
	}
	return profile
}
