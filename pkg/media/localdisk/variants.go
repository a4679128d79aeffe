package localdisk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/mediafile"
)

// variants is the folder of what is made from pictures.
const variants = "variants"

// maxVariants is how many a picture may have, so that nobody fills the disk
// with sizes, and maxForStrangers how many of them there may be before somebody
// else than its owner gets no new one. They stay as long as the picture: their
// addresses are kept in pages and documents. Beyond them there are only the usual
// widths, of which there are six at the most.
const (
	maxVariants     = 20
	maxForStrangers = 12
)

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
// picture itself stands for them when it moves, cannot be redrawn, or has enough
// of them already.
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

// asItIs is the picture itself, in place of a size.
func (o original) asItIs(why media.Why) media.Variant {
	return media.Variant{URL: Prefix + fileName(o.ref, string(o.format)), Width: o.info.Width, Height: o.info.Height, Why: why}
}

// hasRoom reports whether one more variant may be drawn beside those that there
// are.
func (o original) hasRoom(t media.Transform, variants int) bool {
	most := maxVariants
	if t.ByStranger {
		most = maxForStrangers
	}
	return variants < most || t.Within(o.info.Width, o.info.Height).Usual(o.info.Width)
}

// makeVariants makes those that are missing in made.
func (s *Store) makeVariants(o original, transforms []media.Transform, made []media.Variant) ([]media.Variant, error) {
	entries, err := os.ReadDir(o.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read the variants of %s: %w", o.ref.PublicID, err)
	}
	variants := len(entries)
	var drawn painter
	for i, t := range transforms {
		if made[i].URL != "" {
			continue
		}
		switch {
		case o.info.Moves:
			made[i] = o.asItIs(media.WhyMoves)
			continue
		case !o.fits(t):
			made[i] = o.asItIs(media.WhyMemory)
			continue
		case !o.hasRoom(t, variants):
			made[i] = o.asItIs(media.WhySizes)
			continue
		}
		name, err := s.makeVariant(o, &drawn, t)
		if kept, is := errors.AsType[keptError](err); is {
			made[i] = o.asItIs(kept.why)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("make a variant of %s: %w", o.ref.PublicID, err)
		}
		made[i] = o.variant(t, name)
		variants++
	}
	if _, err := os.Stat(o.path); err != nil { // it was deleted meanwhile
		return nil, errors.Join(gone(err), os.RemoveAll(o.dir))
	}
	return made, nil
}

// makeVariant draws and stores one, and returns the name of its file. drawn
// keeps the decoded picture for the next one.
func (s *Store) makeVariant(o original, drawn *painter, t media.Transform) (string, error) {
	if err := drawn.load(o); err != nil {
		return "", err
	}
	target, profile := drawn.draw(t.Box(o.info.Width, o.info.Height))
	extension, write := encode(target, profile, quality(t.Quality))
	name := variantName(t.Within(o.info.Width, o.info.Height)) + extension
	return name, s.write(filepath.Join(o.dir, name), write)
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
