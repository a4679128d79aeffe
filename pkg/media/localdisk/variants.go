package localdisk

import (
	"context"
	"errors"
	"fmt"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/mediafile"
)

// variants is the folder of what is made from pictures.
const variants = "variants"

// maxVariants is how many a picture may have, so that nobody fills the disk
// with sizes. They stay as long as the picture: their addresses are kept in
// pages and documents.
const maxVariants = 20

// original is a stored picture, and where its variants are.
type original struct {
	ref    media.Ref
	format mediafile.Format
	path   string
	dir    string // of the variants
	info   mediafile.Info
}

// Optimize implements media.Store: it makes the variants that are asked for
// the first time, as a JPEG, or as a PNG where the picture is transparent. The
// picture itself stands for them when it moves, cannot be redrawn, or has
// maxVariants already.
func (s *Store) Optimize(ctx context.Context, ref media.Ref, transforms ...media.Transform) ([]media.Variant, error) {
	if ref.ResourceType != media.ResourceImage {
		return nil, media.ErrNotFound
	}
	format, path, err := s.find(ref)
	if err != nil {
		return nil, err
	}
	o := original{ref: ref, format: format, path: path, dir: s.path(variants, filepath.FromSlash(ref.PublicID))}
	if o.info, err = measured(path, format); err != nil {
		return nil, gone(err)
	}
	made, complete, err := o.look(transforms)
	if err != nil || complete {
		return made, err
	}
	select {
	case s.paint <- struct{}{}:
		defer func() { <-s.paint }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	made, complete, err = o.look(transforms) // somebody may have made them meanwhile
	if err != nil || complete {
		return made, err
	}
	return s.makeVariants(o, transforms, made)
}

// measured reads the header of a picture. What cannot be read has no size, and
// is no error.
func measured(path string, format mediafile.Format) (mediafile.Info, error) {
	file, err := os.Open(path)
	if err != nil {
		return mediafile.Info{}, err
	}
	defer func() { _ = file.Close() }() // it was only read
	stat, err := file.Stat()
	if err != nil {
		return mediafile.Info{}, err
	}
	info, err := mediafile.Measure(file, stat.Size(), format)
	if err != nil {
		return mediafile.Info{}, nil // such a picture is delivered as it is
	}
	return info, nil
}

// look returns the variants that are there, and whether they are all. The others
// have no address.
func (o original) look(transforms []media.Transform) (made []media.Variant, complete bool, err error) {
	made, complete = make([]media.Variant, len(transforms)), true
	for i, t := range transforms {
		name := variantName(t.Within(o.info.Width, o.info.Height))
		for _, extension := range []string{".jpg", ".png"} {
			_, err := os.Stat(filepath.Join(o.dir, name+extension))
			if err == nil {
				made[i] = o.variant(t, name+extension)
				break
			}
			if !errors.Is(err, os.ErrNotExist) {
				return nil, false, fmt.Errorf("look for a variant of %s: %w", o.ref.PublicID, err)
			}
		}
		complete = complete && made[i].URL != ""
	}
	return made, complete, nil
}

func (o original) variant(t media.Transform, name string) media.Variant {
	width, height := t.Box(o.info.Width, o.info.Height)
	return media.Variant{URL: Prefix + variants + "/" + o.ref.PublicID + "/" + name, Width: width, Height: height}
}

// asItIs is the picture itself, n times.
func (o original) asItIs(n int) []media.Variant {
	same := make([]media.Variant, n)
	for i := range same {
		same[i] = media.Variant{URL: Prefix + fileName(o.ref, string(o.format)), Width: o.info.Width, Height: o.info.Height}
	}
	return same
}

// makeVariants makes those that are missing in made.
func (s *Store) makeVariants(o original, transforms []media.Transform, made []media.Variant) ([]media.Variant, error) {
	itself := o.asItIs(1)[0]
	entries, err := os.ReadDir(o.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read the variants of %s: %w", o.ref.PublicID, err)
	}
	room := maxVariants - len(entries)
	var drawn painter
	for i, t := range transforms {
		if made[i].URL != "" {
			continue
		}
		if made[i] = itself; room <= 0 || !o.fits(t) {
			continue
		}
		name, err := s.makeVariant(o, &drawn, t)
		if errors.Is(err, errKept) {
			return o.fillUp(made), nil
		}
		if err != nil {
			return nil, fmt.Errorf("make a variant of %s: %w", o.ref.PublicID, err)
		}
		made[i] = o.variant(t, name)
		room--
	}
	if _, err := os.Stat(o.path); err != nil { // it was deleted meanwhile
		return nil, errors.Join(gone(err), os.RemoveAll(o.dir))
	}
	return made, nil
}

// fillUp puts the picture itself where there is no variant.
func (o original) fillUp(made []media.Variant) []media.Variant {
	for i := range made {
		if made[i].URL == "" {
			made[i] = o.asItIs(1)[0]
		}
	}
	return made
}

// makeVariant draws and stores one, and returns the name of its file. drawn
// keeps the decoded picture for the next one.
func (s *Store) makeVariant(o original, drawn *painter, t media.Transform) (string, error) {
	if err := drawn.load(o); err != nil {
		return "", err
	}
	target := drawn.draw(t.Box(o.info.Width, o.info.Height))
	name := variantName(t.Within(o.info.Width, o.info.Height))
	write := func(w io.Writer) error { return png.Encode(w, target) }
	extension := ".png"
	if target.Opaque() {
		extension, write = ".jpg", func(w io.Writer) error {
			return jpeg.Encode(w, target, &jpeg.Options{Quality: quality(t.Quality)})
		}
	}
	return name + extension, s.write(filepath.Join(o.dir, name+extension), write)
}

// variantName is the transform in signs that no file system minds.
func variantName(t media.Transform) string {
	return "w" + strconv.Itoa(t.Width) + "-h" + strconv.Itoa(t.Height) + "-q" + strconv.Itoa(quality(t.Quality))
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
