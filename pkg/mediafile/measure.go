package mediafile

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// Info is what a file is.
type Info struct {
	Format Format
	Size   int64
	// Width and Height are in pixels, of pictures and films; 0 = unknown.
	Width, Height int
	// Duration is in seconds, of sounds and films; 0 = the container does not
	// tell.
	Duration float64
	// Turn is how a picture lies in its file, as Exif counts: 1 = upright, 2 to
	// 4 mirrored or upside down, 5 to 8 on its side. 0 = it is no picture. Width
	// and Height are those of the upright picture.
	Turn int
	// Moves tells that a picture has several frames.
	Moves bool
	// Memory is how many bytes it takes to decode a picture, estimated upwards.
	Memory int64
	// Rare tells that a picture is shown by browsers, and that no decoder here
	// reads it.
	Rare bool
}

// onItsSide is the first Turn that swaps the sides.
const onItsSide = 5

// Sideways reports whether the picture lies on its side in the file.
func (i Info) Sideways() bool { return i.Turn >= onItsSide }

// MaxPixels is how many pixels a picture may have. A file of a few kilobytes
// can claim more than any memory holds.
const MaxPixels = 50_000_000

// The faults of a file. They are tested with errors.Is; their texts are fit
// for users.
var (
	ErrDamaged  = errors.New("the file is damaged")
	ErrTooLarge = fmt.Errorf("the picture has more than %d million pixels", MaxPixels/1_000_000)
)

// measures read what files of a format say about themselves.
var measures = map[Format]func(io.ReaderAt, *Info) error{
	JPEG: measurePicture, PNG: measurePicture, GIF: measurePicture, WebP: measurePicture,
	MP4: measureISOMedia, MOV: measureISOMedia, M4A: measureISOMedia,
	WAV: measureWAV, AVI: measureAVI, OGG: measureOGG, MP3: measureMP3, WMV: measureASF,
	PDF: measurePDF, DOC: measureWord, DOCX: measureDOCX,
}

// Measure reads what the file says about itself. format is that of Sniff; the
// result has the one that the whole file shows: an MP4 without a picture is an
// M4A. A length that the file does not tell for certain is 0, never a guess.
//
// Failures are ErrDamaged, ErrTooLarge, a *NotTakenError for a file that is not
// what its beginning promised, or that of file.
func Measure(file io.ReaderAt, size int64, format Format) (Info, error) {
	info := Info{Format: format, Size: size}
	measure, known := measures[format]
	if !known {
		return info, nil
	}
	if err := measure(&within{file: file, left: mostRead + 2*size}, &info); err != nil {
		return info, err
	}
	if math.IsNaN(info.Duration) || math.IsInf(info.Duration, 0) || info.Duration < 0 || info.Duration > maxSeconds {
		info.Duration = 0
	}
	info.Duration = math.Round(info.Duration*1000) / 1000
	return info, nil
}

// maxSeconds is a year: whoever claims more is mistaken.
const maxSeconds = 366 * 24 * 3600

// notTaken returns a *NotTakenError.
func notTaken(reason string) error { return &NotTakenError{Reason: reason} }

// damaged is ErrDamaged with what is wrong.
func damaged(what string) error { return fmt.Errorf("%w: %s", ErrDamaged, what) }
