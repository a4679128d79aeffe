package localdisk

import (
	"bytes"
	"image"
	"image/draw"
	"math"
	"os"
	"runtime"

	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/mediafile"
)

// maxMemory is how much a picture may need in memory to be redrawn: its file,
// what is decoded of it, and the new one. A file of some kilobytes can need a
// gigabyte.
const maxMemory = 96 << 20

// large is a picture whose memory is worth a collection, which takes far less time
// than to draw it.
const large = 32 << 20

// fits reports whether a picture can be drawn in other measures.
func (o original) fits(t media.Transform) bool {
	width, height := t.Box(o.info.Width, o.info.Height)
	return o.info.Size+o.info.Memory+4*int64(width)*int64(height) <= maxMemory
}

// keptError means that the picture stays as it is.
type keptError struct{ why media.Why }

// Error implements error.
func (e keptError) Error() string { return "the picture is not redrawn: " + string(e.why) }

// painter draws one picture in several sizes.
type painter struct {
	source  image.Image
	info    mediafile.Info
	colours colours
	failed  error // why it cannot be decoded
}

// draw draws the picture in a size, upright, and tells which profile belongs to
// its colours.
func (p *painter) draw(width, height int) (image.Image, []byte) {
	if p.info.Sideways() {
		width, height = height, width
	}
	return p.colours.finish(p.fill(width, height))
}

// load decodes the picture, once.
func (p *painter) load(o original) error {
	if o.info.Size+o.info.Memory > large {
		runtime.GC() // or what the picture before left is still in memory beside this one
	}
	switch {
	case p.source != nil, p.failed != nil:
		return p.failed
	case o.info.Moves:
		return keptError{media.WhyMoves}
	case o.info.Width == 0, o.info.Rare:
		return keptError{media.WhyKind}
	}
	p.info = o.info
	content, err := os.ReadFile(o.path)
	if err != nil {
		return gone(err)
	}
	if p.source, err = decode(content, o.format); err != nil {
		p.failed = keptError{media.WhyKind}
		return p.failed
	}
	p.colours = coloursOf(mediafile.Profile(bytes.NewReader(content), o.info), p.source)
	return nil
}

// fill draws the middle of the picture in a size, as it lies, that is not
// greater: each new pixel is the mean of those that it stands for, and is put
// where it belongs upright. It works row by row, with no memory beside the two
// pictures. (The scalers of x/image keep 32 bytes for each pixel of a picture as
// wide as the new one and as high as the old one: close to a gigabyte here.)
func (p *painter) fill(width, height int) *image.RGBA {
	from := p.source.Bounds()
	step := min(float64(from.Dx())/float64(width), float64(from.Dy())/float64(height)) // old pixels for a new one
	columns := cut(from.Dx(), width, step)
	rows := cut(from.Dy(), height, step)
	size := image.Rect(0, 0, width, height)
	if p.info.Sideways() {
		size = image.Rect(0, 0, height, width)
	}
	target := image.NewRGBA(size)
	old := rowsOf(p.source)
	narrow, narrowed := make([]float32, 4*width), -1 // which old row is in narrow
	sums := make([]float32, 4*width)
	area := float32(step * step)
	for y, s := range rows {
		clear(sums)
		for row := s.begin; row < s.end; row++ {
			if row != narrowed {
				shrink(narrow, old(from.Min.Y+row), columns)
				narrowed = row
			}
			weight := s.weight(row)
			for i, value := range narrow {
				sums[i] += weight * value
			}
		}
		for x := range width {
			pixel := target.Pix[target.PixOffset(upright(x, y, width, height, p.info.Turn)):]
			for i, sum := range sums[4*x : 4*x+4] {
				pixel[i] = uint8(min(sum/area+0.5, 255))
			}
		}
	}
	return target
}

// rowsOf returns a reader of rows: four bytes for each pixel, as they are in the
// picture where they stand for four inks.
func rowsOf(source image.Image) func(y int) []uint8 {
	from := source.Bounds()
	if inks, is := source.(*image.CMYK); is {
		return func(y int) []uint8 { return inks.Pix[inks.PixOffset(from.Min.X, y):][:4*from.Dx()] }
	}
	row := image.NewRGBA(image.Rect(0, 0, from.Dx(), 1))
	return func(y int) []uint8 {
		draw.Draw(row, row.Rect, source, image.Pt(from.Min.X, y), draw.Src)
		return row.Pix
	}
}

// shrink sums the pixels of a row that fall into each new one.
func shrink(into []float32, pixels []uint8, columns []stretch) {
	for x, s := range columns {
		var r, g, b, a float32
		for column := s.begin; column < s.end; column++ {
			weight, pixel := s.weight(column), pixels[4*column:4*column+4]
			r += weight * float32(pixel[0])
			g += weight * float32(pixel[1])
			b += weight * float32(pixel[2])
			a += weight * float32(pixel[3])
		}
		into[4*x], into[4*x+1], into[4*x+2], into[4*x+3] = r, g, b, a
	}
}

// stretch is the old pixels, from begin up to end, that a new one stands for.
// The first and the last may count in part.
type stretch struct {
	begin, end  int
	first, last float32
}

func (s stretch) weight(i int) float32 {
	switch i {
	case s.begin:
		return s.first
	case s.end - 1:
		return s.last
	default:
		return 1
	}
}

// cut divides the middle of a length into stretches of step pixels.
func cut(length, into int, step float64) []stretch {
	stretches := make([]stretch, into)
	offset := (float64(length) - step*float64(into)) / 2
	for i := range stretches {
		from := max(offset+step*float64(i), 0)
		to := min(from+step, float64(length))
		s := stretch{begin: int(from), end: min(max(int(math.Ceil(to-1e-9)), int(from)+1), length)}
		s.begin = min(s.begin, s.end-1)
		s.first = float32(min(to, float64(s.begin+1)) - from)
		s.last = s.first
		if s.end-1 > s.begin {
			s.last = float32(to - float64(s.end-1))
		}
		stretches[i] = s
	}
	return stretches
}

// upright is where a pixel of a picture that lies in a size belongs, as Exif
// counts.
func upright(x, y, width, height, turn int) (int, int) {
	switch turn {
	case 2:
		return width - 1 - x, y
	case 3:
		return width - 1 - x, height - 1 - y
	case 4:
		return x, height - 1 - y
	case 5:
		return y, x
	case 6:
		return height - 1 - y, x
	case 7:
		return height - 1 - y, width - 1 - x
	case 8:
		return y, width - 1 - x
	default:
		return x, y
	}
}
