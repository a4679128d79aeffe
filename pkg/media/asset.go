package media

import (
	"crypto/rand"
	"regexp"
	"strings"
	"time"

	"github.com/etrainer/backend/pkg/mediafile"
)

// Ref names one file in a store.
type Ref struct {
	// PublicID is the folder and the name: etrainer/images/x. That of a raw
	// file ends in its extension.
	PublicID     string
	ResourceType ResourceType
}

// Asset is a stored file. Zero width, height or duration = unknown, or there
// is none.
type Asset struct {
	Ref
	Format    string // jpg, mp4, pdf; "" = unknown
	Bytes     int64
	Width     int // pixels
	Height    int
	Duration  float64 // seconds
	URL       string  // absolute, or a path of this server: /media/…
	Thumbnail string  // address of a small still image; "" = none
	CreatedAt time.Time
}

// Variant is a picture in other measures.
type Variant struct {
	URL           string // as in Asset
	Width, Height int    // pixels; 0 = the store does not know
	// Why is why the picture itself stands for the size that was asked for;
	// "" = it does not.
	Why Why
}

// Why is why a picture is not redrawn.
type Why string

// The reasons.
const (
	WhyMoves  Why = "moves"  // it is an animation
	WhyMemory Why = "memory" // it would take more than there is
	WhySizes  Why = "sizes"  // it has as many as it may have
	WhyKind   Why = "kind"   // its format is read by browsers alone, or it is damaged
)

// Upload is a received file that a store shall keep.
type Upload struct {
	PublicID string // from NewPublicID
	Kind     Kind
	// Path is the complete file on the local disk. A store may move it away.
	Path string
	File mediafile.Info
}

// Ref returns how the file will be known.
func (u Upload) Ref() Ref { return Ref{PublicID: u.PublicID, ResourceType: u.Kind.ResourceType()} }

// ownName is the part of an id that NewPublicID makes at random.
var ownName = regexp.MustCompile(`^m_[a-z2-7]{26}(\.[a-z0-9]{2,4})?$`)

// NewPublicID makes an id that nobody can guess, of signs that need no
// escaping but the slash. Nothing that a user says becomes part of it.
func NewPublicID(kind Kind, format mediafile.Format) string {
	id := kind.Folder() + "/m_" + strings.ToLower(rand.Text())
	if kind.ResourceType() == ResourceRaw {
		id += "." + string(format)
	}
	return id
}

// Own reports whether an id is one of NewPublicID. Files of the Node backend
// have others, and no record here.
func Own(publicID string) bool {
	folder, name, found := cutLast(publicID, "/")
	if !found || !ownName.MatchString(name) {
		return false
	}
	for _, kind := range Kinds() {
		if kind.Folder() == folder {
			return true
		}
	}
	return false
}

func cutLast(text, separator string) (before, after string, found bool) {
	at := strings.LastIndex(text, separator)
	if at < 0 {
		return "", text, false
	}
	return text[:at], text[at+len(separator):], true
}
