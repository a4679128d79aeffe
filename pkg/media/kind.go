package media

import (
	"slices"

	"github.com/etrainer/backend/pkg/mediafile"
)

// Kind is what an upload is for. Each has its route, folder, formats and
// limits.
type Kind string

// The kinds.
const (
	Image    Kind = "image"
	Audio    Kind = "audio"
	Video    Kind = "video"
	Document Kind = "document"
)

// Kinds lists every kind.
func Kinds() []Kind { return []Kind{Image, Audio, Video, Document} }

// ResourceType is Cloudinary's word for how a file is stored and delivered.
// Sounds are videos there.
type ResourceType string

// The resource types.
const (
	ResourceImage ResourceType = "image"
	ResourceVideo ResourceType = "video"
	ResourceRaw   ResourceType = "raw"
)

// Known reports whether it is one of the three.
func (t ResourceType) Known() bool {
	return t == ResourceImage || t == ResourceVideo || t == ResourceRaw
}

// Root is the folder above those of the kinds.
const Root = "etrainer"

// kindRules are those of the Node backend.
var kindRules = map[Kind]struct {
	folder   string
	resource ResourceType
	formats  []mediafile.Format
}{
	Image:    {"images", ResourceImage, []mediafile.Format{mediafile.JPEG, mediafile.PNG, mediafile.GIF, mediafile.WebP}},
	Audio:    {"audio", ResourceVideo, []mediafile.Format{mediafile.MP3, mediafile.WAV, mediafile.OGG, mediafile.M4A}},
	Video:    {"videos", ResourceVideo, []mediafile.Format{mediafile.MP4, mediafile.AVI, mediafile.MOV, mediafile.WMV}},
	Document: {"documents", ResourceRaw, []mediafile.Format{mediafile.PDF, mediafile.DOC, mediafile.DOCX, mediafile.TXT}},
}

// Folder is where files of the kind are: etrainer/images.
func (k Kind) Folder() string { return Root + "/" + kindRules[k].folder }

// ResourceType is how files of the kind are stored.
func (k Kind) ResourceType() ResourceType { return kindRules[k].resource }

// Formats are what the kind takes.
func (k Kind) Formats() []mediafile.Format { return slices.Clone(kindRules[k].formats) }

// Takes reports whether files of a format are of the kind.
func (k Kind) Takes(format mediafile.Format) bool {
	return slices.Contains(kindRules[k].formats, format)
}
