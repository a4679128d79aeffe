package mediafile

import (
	"encoding/binary"
	"io"
	"slices"
)

// The flags of an extended WebP (RFC 9649, section 2.7).
const (
	webpAnimated = 1 << 1
	webpXMP      = 1 << 2
	webpExif     = 1 << 3
)

// webpKept are the chunks that say what the picture looks like.
var webpKept = []string{"VP8X", "VP8 ", "VP8L", "ALPH", "ANIM", "ANMF", "ICCP"}

// webpHead is the length of the header of the container, and of a chunk.
const (
	webpHead  = 12
	chunkHead = 8
)

// walkWebP visits the chunks. The flags and the length of the file are told
// before what may be taken out: they are written again.
func walkWebP(file io.ReaderAt, size int64, _ bool) (*parts, error) {
	head := readAt(file, 0, webpHead)
	if len(head) < webpHead || string(head[:4]) != "RIFF" || string(head[8:]) != "WEBP" {
		return nil, damaged("its header cannot be read")
	}
	p, flags, flagsAt := &parts{}, byte(0), int64(0)
	end := min(size, chunkHead+int64(binary.LittleEndian.Uint32(head[4:])))
	var exif []byte
	var first string
	all := chunks(file, webpHead, end, func(kind string, body, length int64) bool {
		if first == "" {
			first = kind
		}
		switch kind {
		case "VP8X":
			if b := readAt(file, body, 1); len(b) == 1 {
				flags, flagsAt = b[0], body
			}
		case "ANMF":
			p.frames++
		case "ICCP":
			p.profile = readAt(file, body, int(min(length, mostProfile)))
		case "EXIF":
			if exif == nil {
				exif = readAt(file, body, int(min(length, mostExif)))
				p.turn = orientation(exif)
			}
		}
		if slices.Contains(webpKept, kind) {
			p.kept.keep(body-chunkHead, min(body+length+length%2, end))
		}
		return first == "VP8X" || first == kind // a simple file has one chunk
	})
	if !all {
		return nil, errTooManyParts
	}
	if flags&webpAnimated == 0 {
		p.frames = 0
	}
	p.finishWebP(head, end, flags, flagsAt, exif)
	return p, nil
}

// finishWebP puts the header before what was kept, and behind it how the picture
// lies. A file that is cut goes on telling how long it should be.
func (p *parts) finishWebP(head []byte, end int64, flags byte, flagsAt int64, exif []byte) {
	body, right := p.kept, flags&^(webpXMP|webpExif)
	p.kept = plan{}
	var tail []byte
	if p.turn > 1 && flagsAt > 0 {
		short := exifOf(p.turn)
		tail = append(binary.LittleEndian.AppendUint32([]byte("EXIF"), uint32(len(short))), short...)
		right |= webpExif
	}
	told := binary.LittleEndian.Uint32(head[4:])
	length := told - uint32(end-webpHead-body.size) + uint32(len(tail))
	same := length == told && right == flags && string(exif) == string(tail[min(chunkHead, len(tail)):])
	if same {
		p.kept.keep(0, end)
		return
	}
	p.kept.put(append(binary.LittleEndian.AppendUint32([]byte("RIFF"), length), "WEBP"...))
	for _, piece := range body.pieces {
		if right != flags && flagsAt >= piece.from && flagsAt < piece.to {
			p.kept.keep(piece.from, flagsAt)
			p.kept.put([]byte{right})
			p.kept.keep(flagsAt+1, piece.to)
			continue
		}
		p.kept.keep(piece.from, piece.to)
	}
	if tail != nil {
		p.kept.put(tail)
	}
}
