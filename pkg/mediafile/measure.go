package mediafile

import (
	"errors"
	"fmt"
	"image"
	_ "image/gif"  // their headers are read
	_ "image/jpeg" // here
	_ "image/png"
	"io"
	"math"

	_ "golang.org/x/image/webp" // and this one's
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
	// Turn is how a JPEG lies in its file, as Exif counts: 1 = upright, 2 to 4
	// mirrored or upside down, 5 to 8 on its side. 0 = it is no JPEG. Width and
	// Height are those of the upright picture.
	Turn int
	// Memory is how many bytes it takes to decode a picture, estimated upwards.
	Memory int64
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

// Measure reads what the file says about itself. format is that of Sniff; the
// result has the one that the whole file shows: an MP4 without a picture is an
// M4A. Of sounds and films whose container cannot be read, width, height and
// duration are 0; a picture must be readable.
func Measure(file io.ReaderAt, size int64, format Format) (Info, error) {
	info := Info{Format: format, Size: size}
	switch format {
	case JPEG, PNG, GIF, WebP:
		err := measureImage(file, &info)
		return info, err
	case MP4, MOV, M4A:
		measureISOMedia(file, &info)
	case WAV:
		measureWAV(file, &info)
	case AVI:
		measureAVI(file, &info)
	case OGG:
		measureOGG(file, &info)
	case MP3:
		measureMP3(file, &info)
	case WMV:
		measureASF(file, &info)
	}
	if math.IsNaN(info.Duration) || math.IsInf(info.Duration, 0) || info.Duration < 0 || info.Duration > maxSeconds {
		info.Duration = 0
	}
	info.Duration = math.Round(info.Duration*1000) / 1000
	return info, nil
}

// maxSeconds is a year: whoever claims more is mistaken.
const maxSeconds = 366 * 24 * 3600

var registered = map[string]Format{"jpeg": JPEG, "png": PNG, "gif": GIF, "webp": WebP}

func measureImage(file io.ReaderAt, info *Info) error {
	config, name, err := image.DecodeConfig(io.NewSectionReader(file, 0, info.Size))
	if err != nil || registered[name] != info.Format || config.Width < 1 || config.Height < 1 {
		return fmt.Errorf("%w: its header cannot be read", ErrDamaged)
	}
	if int64(config.Width)*int64(config.Height) > MaxPixels {
		return ErrTooLarge
	}
	info.Width, info.Height = config.Width, config.Height
	info.Memory = int64(config.Width) * int64(config.Height) * memoryOf(file, info, config.ColorModel) / 2
	if info.Format == JPEG {
		info.Turn = readJPEG(file, info.Size).turn
	}
	if info.Sideways() {
		info.Width, info.Height = info.Height, info.Width
	}
	return nil
}

// readAt returns up to n bytes from a place; fewer at the end of the file.
func readAt(file io.ReaderAt, offset int64, n int) []byte {
	if offset < 0 {
		return nil
	}
	buffer := make([]byte, n)
	read, err := file.ReadAt(buffer, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	return buffer[:read]
}
