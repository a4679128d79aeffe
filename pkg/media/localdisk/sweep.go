package localdisk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/media"
)

const (
	// incomingAge is how old a file in incoming must be before Sweep takes it
	// for one that a crash left: other processes receive theirs there too.
	incomingAge = time.Hour
	// sweepEvery is the time between the sweeps of a Sweeper.
	sweepEvery = time.Hour
)

// Sweeper sweeps every hour: what another process leaves that crashes is not
// kept until this one starts again.
func (s *Store) Sweeper(clock clockwork.Clock, log *slog.Logger) *lifecycle.Loop {
	return lifecycle.NewLoop("media sweeper", func(ctx context.Context) error {
		ticker := clock.NewTicker(sweepEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-ticker.Chan():
			}
			if err := s.Sweep(); err != nil {
				log.WarnContext(ctx, "media directory not swept", slog.Any("error", err))
			}
		}
	})
}

// Sweep removes what crashes left: received files that are old, and variants of
// pictures that are gone.
func (s *Store) Sweep() error {
	if err := errors.Join(s.sweepIncoming(), s.sweepVariants()); err != nil {
		return fmt.Errorf("sweep the media directory: %w", err)
	}
	return nil
}

func (s *Store) sweepIncoming() error {
	entries, err := os.ReadDir(s.Incoming())
	if err != nil {
		return err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || s.now().Sub(info.ModTime()) < incomingAge {
			continue // gone, or young
		}
		if err := os.Remove(s.path("incoming", entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// sweepVariants asks for the picture of each folder. It was there before the
// folder, so that one without it will have none any more.
func (s *Store) sweepVariants() error {
	dir := s.path(variants, filepath.FromSlash(media.Image.Folder()))
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		ref := media.Ref{PublicID: media.Image.Folder() + "/" + entry.Name(), ResourceType: media.ResourceImage}
		if _, _, err := s.find(ref); !errors.Is(err, media.ErrNotFound) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}
