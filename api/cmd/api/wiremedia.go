package main

import (
	"log/slog"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/etrainer/backend/api/internal/config"
	"github.com/etrainer/backend/api/internal/uploads"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/media/cloudinary"
	"github.com/etrainer/backend/pkg/media/localdisk"
)

// wireMedia returns the routes of uploads and their store: Cloudinary when it
// is configured, else the local disk. The disk serves what it has either way,
// and receives what goes to Cloudinary: the sweeper is the disk's.
func wireMedia(cfg config.Media, records media.Records, now func() time.Time, log *slog.Logger) (routes *uploads.Handler, store media.Store, sweeper lifecycle.Service, err error) {
	disk, err := localdisk.Open(cfg.Disk.Dir, time.Now) // the clock of its files
	if err != nil {
		return nil, nil, nil, err
	}
	options := uploads.Options{
		Store: disk, Files: disk, Records: records, Limits: cfg.Limits(), Incoming: disk.Incoming(),
		BaseURL: cfg.BaseURL, Now: now, Log: log,
	}
	if cfg.Cloud.Configured() {
		cloud, err := cloudinary.New(cfg.Cloud.Options())
		if err != nil {
			return nil, nil, nil, err
		}
		options.Store, options.Others = cloud, []media.Store{disk}
	}
	return uploads.NewHandler(options), options.Store, disk.Sweeper(clockwork.NewRealClock(), log), nil
}
