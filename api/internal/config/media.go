package config

import (
	"errors"
	"net/url"

	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/media/cloudinary"
	"github.com/etrainer/backend/pkg/media/localdisk"
)

// Media is where uploads go, and how great they may be.
type Media struct {
	Disk  localdisk.Env
	Cloud cloudinary.Env

	BaseURL  string `env:"MEDIA_BASE_URL" help:"origin in the addresses of files on the local disk; default the host that a request names" example:"https://api.etrainer.example"`
	Image    int64  `env:"MAX_FILE_SIZE_MB" envDefault:"10" help:"greatest picture" unit:"MiB" example:"5"`
	Audio    int64  `env:"MAX_AUDIO_SIZE_MB" envDefault:"50" help:"greatest sound" unit:"MiB" example:"20"`
	Video    int64  `env:"MAX_VIDEO_SIZE_MB" envDefault:"100" help:"greatest film" unit:"MiB" example:"200"`
	Document int64  `env:"MAX_DOCUMENT_SIZE_MB" envDefault:"20" help:"greatest document" unit:"MiB" example:"50"`
}

// Limits are the greatest files in bytes.
func (m Media) Limits() map[media.Kind]int64 {
	return map[media.Kind]int64{
		media.Image: m.Image << 20, media.Audio: m.Audio << 20, media.Video: m.Video << 20, media.Document: m.Document << 20,
	}
}

// Validate reports every mistake, as config.Problem joined.
func (m Media) Validate() error {
	return errors.Join(
		config.Between("MAX_FILE_SIZE_MB", m.Image, 1, 1024),
		config.Between("MAX_AUDIO_SIZE_MB", m.Audio, 1, 1024),
		config.Between("MAX_VIDEO_SIZE_MB", m.Video, 1, 1024),
		config.Between("MAX_DOCUMENT_SIZE_MB", m.Document, 1, 1024),
		m.checkBase(),
		m.Cloud.Validate(),
	)
}

func (m Media) checkBase() error {
	base, err := url.Parse(m.BaseURL)
	if m.BaseURL == "" || err == nil && base.Host != "" && m.BaseURL == base.Scheme+"://"+base.Host {
		return nil
	}
	return config.Problem{
		Variable: "MEDIA_BASE_URL", Value: m.BaseURL, Fault: "is not an origin",
		Mend: "set it to one such as https://api.example.com, without a path",
	}
}
