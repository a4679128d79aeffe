package main

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/media/cloudinary"
	"github.com/etrainer/backend/pkg/media/localdisk"
	"github.com/etrainer/backend/worker/internal/handlers/orphanedmedia"
)

// mediaStores are the places that the api may have put uploads into. They are
// opened by each run, since the api makes its folder when it starts.
func (p *program) mediaStores() []orphanedmedia.Source {
	disk, cloud := p.cfg.Disk, p.cfg.Cloud
	return []orphanedmedia.Source{
		{Name: media.StoreLocal, Open: func() (media.Store, error) {
			store, err := localdisk.Attach(disk.Dir, time.Now) // the clock of its files
			if errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("%w: there are no uploads in %s", orphanedmedia.ErrNoStore, disk.Dir)
			}
			return store, err
		}},
		{Name: media.StoreCloudinary, Open: func() (media.Store, error) {
			if !cloud.Configured() {
				return nil, fmt.Errorf("%w: CLOUDINARY_CLOUD_NAME is not set", orphanedmedia.ErrNoStore)
			}
			return cloudinary.New(cloud.Options())
		}},
	}
}
