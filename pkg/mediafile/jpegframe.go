package mediafile

import "encoding/binary"

// jpegFrame is what the header of the frame tells.
type jpegFrame struct {
	marker        byte // 0 = there was none
	precision     byte // bits of a sample
	width, height int
	factors       []byte // how many samples each colour has: across in the upper four bits, down in the lower
}

// The frames that are decoded: baseline, extended, and in passes.
const (
	frameBaseline = 0xc0
	framePasses   = 0xc2
	frameLast     = 0xcf
)

// isFrame reports whether a marker begins a frame, of whichever process.
func isFrame(marker byte) bool {
	return marker >= frameBaseline && marker <= frameLast && marker != 0xc4 && marker != 0xc8 && marker != 0xcc
}

func readFrame(marker byte, b []byte) jpegFrame {
	if len(b) < 6 {
		return jpegFrame{marker: marker}
	}
	f := jpegFrame{marker: marker, precision: b[0], height: int(binary.BigEndian.Uint16(b[1:])), width: int(binary.BigEndian.Uint16(b[3:]))}
	for i := range int(b[5]) {
		if at := 6 + 3*i + 1; at < len(b) {
			f.factors = append(f.factors, b[at])
		}
	}
	return f
}

// check refuses what no browser shows, and what is none.
func (f jpegFrame) check() error {
	switch {
	case f.marker == 0 || f.precision == 0 || len(f.factors) == 0:
		return damaged("its header cannot be read")
	case f.marker > framePasses:
		return notTaken("is a JPEG of a rare kind (lossless, hierarchical or arithmetic), which browsers do not show; save it as a usual JPEG")
	case f.precision != 8:
		return notTaken("is a JPEG with more than 8 bits for a colour, which browsers do not show; save it as a usual JPEG or as a PNG")
	case f.height == 0:
		return notTaken("is a JPEG that does not tell its height; save it again with another program")
	}
	for _, factors := range f.factors {
		if across, down := factors>>4, factors&15; across < 1 || across > 4 || down < 1 || down > 4 {
			return damaged("its header cannot be read")
		}
	}
	return nil
}

// mostOfJPEG is the memory of three colours without saving, and of all
// coefficients.
const mostOfJPEG = 2 * (3 + 3*4)

// memory is how many half bytes the decoder needs for a pixel: the samples, and
// where the picture comes in passes all coefficients, four bytes each.
func (f jpegFrame) memory() int64 {
	samples, most := 0, 1
	for _, factors := range f.factors {
		n := int(factors>>4) * int(factors&15)
		samples, most = samples+n, max(most, n)
	}
	if samples == 0 {
		return mostOfJPEG
	}
	halves := int64(2*samples+most-1) / int64(most)
	decoded := halves
	switch {
	case len(f.factors) > 3: // another picture, in CMYK, is made of it
		decoded += 2 * 4
	case f.unusual(): // no colour is saved on
		decoded = 2 * 3
	}
	if f.marker == framePasses {
		decoded += 4 * halves
	}
	return decoded
}

// unusual reports whether the colours are saved on in a way that Go's own
// decoder does not know.
func (f jpegFrame) unusual() bool {
	if len(f.factors) != 3 {
		return false
	}
	across, down := f.factors[0]>>4, f.factors[0]&15
	return f.factors[1] != f.factors[2] || down == 4 || across == 3 || down == 3 ||
		across%max(f.factors[1]>>4, 1) != 0 || down%max(f.factors[1]&15, 1) != 0
}

// rare reports whether neither Go's decoder nor the one for unusual samplings
// reads the frame: where a colour is finer than the light.
func (f jpegFrame) rare() bool {
	across, down := byte(0), byte(0)
	for _, factors := range f.factors {
		across, down = max(across, factors>>4), max(down, factors&15)
	}
	switch len(f.factors) {
	case 1, 4:
		return false
	case 3:
		return f.unusual() && (f.factors[0]>>4 < across || f.factors[0]&15 < down)
	}
	return true
}
