package localdisk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/image/draw"
	"golang.org/x/image/webp"

	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/mediafile"
)

// variants is the folder of what is made from pictures.
const variants = "variants"

// maxVariants is how many a picture may have, so that nobody fills the disk
// with sizes.
const maxVariants = 20

// Optimize implements media.Store: it makes the picture when it is asked for
// the first time, as a JPEG, or as a PNG where it is transparent. A moving
// picture, or one that cannot be redrawn, is returned as it is.
func (s *Store) Optimize(ctx context.Context, ref media.Ref, transform media.Transform) (string, error) {
	format, path, err := s.find(ref)
	if err != nil {
		return "", err
	}
	if ref.ResourceType != media.ResourceImage {
		return "", media.ErrNotFound
	}
	dir := s.path(variants, filepath.FromSlash(ref.PublicID))
	made, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read the variants of %s: %w", ref.PublicID, err)
	}
	for _, extension := range []string{".jpg", ".png"} {
		for _, entry := range made {
			if entry.Name() == variantName(transform)+extension {
				return Prefix + variants + "/" + ref.PublicID + "/" + entry.Name(), nil
			}
		}
	}
	if len(made) >= maxVariants {
		return "", &media.RefusedError{Reason: fmt.Sprintf("this picture has %d variants already; use one of their sizes", maxVariants)}
	}
	name, err := s.makeVariant(ctx, format, path, dir, transform)
	switch {
	case errors.Is(err, errKept):
		return Prefix + fileName(ref, string(format)), nil
	case err != nil:
		return "", fmt.Errorf("make a variant of %s: %w", ref.PublicID, err)
	}
	return Prefix + variants + "/" + ref.PublicID + "/" + name, nil
}

// variantName is the transform in signs that no file system minds.
func variantName(t media.Transform) string {
	return "w" + strconv.Itoa(t.Width) + "-h" + strconv.Itoa(t.Height) + "-q" + strconv.Itoa(quality(t.Quality))
}

// errKept: the picture stays as it is.
var errKept = errors.New("the picture is not redrawn")

func (s *Store) makeVariant(ctx context.Context, format mediafile.Format, path, dir string, t media.Transform) (string, error) {
	select {
	case s.paint <- struct{}{}:
		defer func() { <-s.paint }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	source, err := decode(format, path)
	if err != nil {
		return "", err
	}
	target := fill(source, t)
	name, write := variantName(t)+".png", func(w io.Writer) error { return png.Encode(w, target) }
	if target.Opaque() {
		name, write = variantName(t)+".jpg", func(w io.Writer) error {
			return jpeg.Encode(w, target, &jpeg.Options{Quality: quality(t.Quality)})
		}
	}
	return name, s.write(filepath.Join(dir, name), write)
}

// decode reads a picture whose size is within mediafile.MaxPixels.
func decode(format mediafile.Format, path string) (image.Image, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, gone(err)
	}
	if _, err := mediafile.Measure(bytes.NewReader(content), int64(len(content)), format); err != nil {
		return nil, errKept
	}
	var picture image.Image
	switch format {
	case mediafile.GIF:
		if moving(content) {
			return nil, errKept
		}
		picture, err = gif.Decode(bytes.NewReader(content))
	case mediafile.WebP:
		picture, err = webp.Decode(bytes.NewReader(content))
	case mediafile.PNG:
		picture, err = png.Decode(bytes.NewReader(content))
	default:
		picture, err = jpeg.Decode(bytes.NewReader(content))
	}
	if err != nil {
		return nil, errKept
	}
	return picture, nil
}

// moving reports whether a GIF has more than one frame, as far as its first
// marks of frames tell.
func moving(content []byte) bool {
	return bytes.Count(content, []byte{0x21, 0xF9, 0x04}) > 1
}

// fill scales a picture so that it fills the box, and cuts what sticks out on
// both sides alike.
func fill(source image.Image, t media.Transform) *image.NRGBA {
	from := source.Bounds()
	width, height := box(from.Dx(), from.Dy(), t)
	target := image.NewNRGBA(image.Rect(0, 0, width, height))
	scale := max(float64(width)/float64(from.Dx()), float64(height)/float64(from.Dy()))
	cutX := (float64(from.Dx()) - float64(width)/scale) / 2
	cutY := (float64(from.Dy()) - float64(height)/scale) / 2
	shown := image.Rect(from.Min.X+int(cutX), from.Min.Y+int(cutY), from.Max.X-int(cutX), from.Max.Y-int(cutY))
	draw.CatmullRom.Scale(target, target.Bounds(), source, shown, draw.Src, nil)
	return target
}

// box is the size that a transform makes of another.
func box(width, height int, t media.Transform) (w, h int) {
	switch {
	case t.Width > 0 && t.Height > 0:
		return t.Width, t.Height
	case t.Width > 0:
		return t.Width, min(max(height*t.Width/width, 1), media.MaxSide)
	case t.Height > 0:
		return min(max(width*t.Height/height, 1), media.MaxSide), t.Height
	default:
		scale := min(1, float64(media.MaxSide)/float64(max(width, height)))
		return max(int(float64(width)*scale), 1), max(int(float64(height)*scale), 1)
	}
}

// quality is that of a JPEG.
func quality(name string) int {
	if number, err := strconv.Atoi(name); err == nil {
		return number
	}
	switch name {
	case "auto:best":
		return 90
	case "auto:eco":
		return 65
	case "auto:low":
		return 50
	default:
		return 80
	}
}
