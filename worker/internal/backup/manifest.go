package backup

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

const (
	// ManifestFile is the file that makes a backup one.
	ManifestFile = "manifest.json"
	// SumsFile lists the SHA-256 of every other file as sha256sum does.
	SumsFile = "SHA256SUMS"
	// format is the version of the manifest that this program writes; it reads
	// no other.
	format = 1
	// maxManifest bounds what is read as a manifest.
	maxManifest = 64 << 20
)

// Manifest is what a backup says of itself.
type Manifest struct {
	Format   int    `json:"format"`
	Name     string `json:"name"`
	Database string `json:"database"`
	Engine   Engine `json:"engine"`
	Product  string `json:"product"` // the version of this program

	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`

	// Consistent tells whether all collections were read at one point in time;
	// Consistency says how, or why not.
	Consistent  bool   `json:"consistent"`
	Consistency string `json:"consistency"`

	Encrypted  bool     `json:"encrypted"`
	Recipients []string `json:"recipients,omitempty"` // public keys whose owners can open it

	Collections []CollectionEntry `json:"collections"`
	Excluded    []string          `json:"excluded,omitempty"` // collections left out by configuration
	Documents   int64             `json:"documents"`          // of all collections
	Bytes       int64             `json:"bytes"`              // of all files as stored, without manifest and sums

	// Run names the run of the job that made it, so that a second attempt of
	// the same run finds it. "" = made by hand.
	Run string `json:"run,omitempty"`
}

// CollectionEntry is one collection in a manifest.
type CollectionEntry struct {
	Name      string `json:"name"`
	Kind      string `json:"kind"` // KindCollection or KindView
	Documents int64  `json:"documents"`
	// Sum is the sum of the SHA-256 of the documents modulo 2^256, which does
	// not depend on their order.
	Sum      string     `json:"sum"`
	Data     *FileEntry `json:"data,omitempty"` // nil for a view
	Metadata FileEntry  `json:"metadata"`
}

// FileEntry is one file in a manifest.
type FileEntry struct {
	Path   string `json:"path"`   // within the backup, with slashes
	Bytes  int64  `json:"bytes"`  // as stored
	SHA256 string `json:"sha256"` // as stored, in hexadecimal
}

// Files lists the files that a manifest names.
func (m *Manifest) Files() []FileEntry {
	var files []FileEntry
	for _, c := range m.Collections {
		if c.Data != nil {
			files = append(files, *c.Data)
		}
		files = append(files, c.Metadata)
	}
	return files
}

// sums is the text of SumsFile. manifest is the SHA-256 of ManifestFile.
func (m *Manifest) sums(manifest string) []byte {
	var b strings.Builder
	for _, file := range m.Files() {
		fmt.Fprintf(&b, "%s  %s\n", file.SHA256, file.Path)
	}
	fmt.Fprintf(&b, "%s  %s\n", manifest, ManifestFile)
	return []byte(b.String())
}

// encode is the text of ManifestFile.
func (m *Manifest) encode() ([]byte, error) {
	text, err := json.MarshalIndent(m, "", "  ")
	return append(text, '\n'), err
}

// parseManifest reads what encode wrote, and refuses what it cannot have
// written: a backup that is restored may come from anywhere.
func parseManifest(name string, text []byte) (*Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, damaged(name, ManifestFile, "is not a manifest: "+err.Error())
	}
	if m.Format != format {
		return nil, fmt.Errorf("backup %s has format %d, and this version reads format %d: use the version that wrote it (%s)",
			name, m.Format, format, m.Product)
	}
	if m.Name != name {
		return nil, damaged(name, ManifestFile, fmt.Sprintf("belongs to a backup named %q", m.Name))
	}
	seen := map[string]bool{}
	for _, file := range m.Files() {
		if !fs.ValidPath(file.Path) || strings.Contains(file.Path, `\`) || seen[file.Path] {
			return nil, damaged(name, ManifestFile, fmt.Sprintf("names the file %q, which no backup has", file.Path))
		}
		seen[file.Path] = true
	}
	if err := m.checkCollections(); err != nil {
		return nil, err
	}
	return &m, nil
}

func (m *Manifest) checkCollections() error {
	seen := map[string]bool{}
	for _, c := range m.Collections {
		hasData := c.Data != nil
		if c.Name == "" || seen[c.Name] || (c.Kind != KindCollection && c.Kind != KindView) || hasData != (c.Kind == KindCollection) {
			return damaged(m.Name, ManifestFile, fmt.Sprintf("has an entry for the collection %q that no backup has", c.Name))
		}
		seen[c.Name] = true
	}
	return nil
}
