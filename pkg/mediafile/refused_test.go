package mediafile_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/etrainer/backend/pkg/media/mediatest"
	"github.com/etrainer/backend/pkg/mediafile"
)

const (
	word     = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
	macros   = "application/vnd.ms-word.document.macroEnabled.main+xml"
	template = "application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml"
	sheet    = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
)

// changed is a JPEG in which a byte of the header of the frame is another.
func changed(at int, value byte) []byte {
	b := mediatest.JPEG(8, 8)
	b[bytes.Index(b, []byte{0xff, 0xc0})+at] = value
	return b
}

// TestNotTaken: what is sound and is not taken is refused with what it is.
func TestNotTaken(t *testing.T) {
	t.Parallel()
	document := mediatest.Entry{Name: "word/document.xml", Content: "<document/>"}
	wmv := mediatest.Sample(mediafile.WMV)
	sound := bytes.Replace(wmv, []byte{0xC0, 0xEF, 0x19, 0xBC}, []byte{0x40, 0x9E, 0x69, 0xF8}, 1) // of audio
	avi := bytes.Replace(mediatest.Sample(mediafile.AVI), []byte("vidsMJPG"), []byte("auds\x01\x00\x00\x00"), 1)
	mov := append([]byte("\x00\x00\x00\x14ftypqt  \x00\x00\x00\x00qt  "), mediatest.Moov("soun")...)
	for name, test := range map[string]struct {
		content []byte
		reason  string
	}{
		"an archive":                   {mediatest.Report(t, "plain.zip"), "ZIP"},
		"a folder called word":         {mediatest.Report(t, "wordfolder.zip"), "ZIP"},
		"a list that names nothing":    {mediatest.Archive(mediatest.Contents(word), mediatest.Entry{Name: "word/other.xml"}), "no Word document"},
		"a table":                      {mediatest.Archive(mediatest.Contents(sheet), document), "no Word document"},
		"macros by their type":         {mediatest.Archive(mediatest.Contents(macros), document), "macros"},
		"macros by their part":         {mediatest.Archive(mediatest.Contents(word), document, mediatest.Entry{Name: "word/vbaProject.bin"}), "macros"},
		"macros in capitals":           {mediatest.Archive(mediatest.Contents(word), document, mediatest.Entry{Name: "WORD/VBAPROJECT.BIN"}), "macros"},
		"a template":                   {mediatest.Archive(mediatest.Contents(template), document), "template"},
		"macros in an old document":    {mediatest.Compound("WordDocument", "Macros"), "macros"},
		"a project in an old document": {mediatest.Compound("WordDocument", "_VBA_PROJECT_CUR"), "macros"},
		"a locked document":            {mediatest.Compound("EncryptionInfo", "EncryptedPackage"), "password"},
		"an old table":                 {mediatest.Compound("Workbook"), "table"},
		"an old presentation":          {mediatest.Compound("PowerPoint Document"), "presentation"},
		"another compound file":        {mediatest.Compound("Installer"), "no Word document"},
		"a film in Ogg":                {mediatest.Report(t, "theora.ogg"), "film"},
		"an Ogg of something":          {ogg(oggPacket{serial: 1, flags: 2, data: []byte("\x80kate\x00\x00\x00 text text text text text text text text text text")}), "without a sound"},
		"a WMA":                        {sound, "WMA"},
		"an AVI with sound alone":      {avi, "without a film"},
		"a QuickTime with sound alone": {mov, "sound alone"},
		"a lossless JPEG":              {changed(1, 0xc3), "rare kind"},
		"an arithmetic JPEG":           {changed(1, 0xc9), "rare kind"},
		"a JPEG of 12 bits":            {changed(4, 12), "more than 8 bits"},
		"a tag without a sound":        {append([]byte("ID3\x04\x00\x00\x00\x00\x00\x0a"), make([]byte, 3000)...), "no frame"},
		"a FLAC behind a tag":          {append([]byte("ID3\x04\x00\x00\x00\x00\x00\x0a0123456789fLaC\x00\x00\x00\x22"), make([]byte, 3000)...), "no frame"},
	} {
		_, err := measure(t, test.content)
		refused, is := errors.AsType[*mediafile.NotTakenError](err)
		if !is || !strings.Contains(refused.Reason, test.reason) {
			t.Errorf("%s: %v; want a reason with %q", name, err, test.reason)
		}
	}
}

// TestDamaged: what is cut or contradicts itself is damaged, and not a file of
// nobody knows what.
func TestDamaged(t *testing.T) {
	t.Parallel()
	docx := mediatest.Sample(mediafile.DOCX)
	noFormat := mediatest.WAV(1)
	copy(noFormat[12:], "fmtX")
	for name, content := range map[string][]byte{
		"a film without an index":       append(mediatest.FileType(), mediatest.Filling(100, 108)...),
		"a cut document":                docx[:len(docx)-30],
		"a cut compound file":           mediatest.Sample(mediafile.DOC)[:700],
		"a WAV that says nothing":       noFormat,
		"a JPEG without a frame":        mediatest.JPEG(8, 8)[:20],
		"a JPEG with wrong colours":     changed(11, 0x05),
		"a WebP without a picture":      []byte("RIFF\x0c\x00\x00\x00WEBPVP8 \x00\x00\x00\x00"),
		"a GIF without a screen":        []byte("GIF89a\x01\x00\x01"),
		"a document whose list is none": mediatest.Archive(mediatest.Entry{Name: "[Content_Types].xml", Content: "<Types"}, mediatest.Entry{Name: "word/document.xml"}),
	} {
		if info, err := measure(t, content); !errors.Is(err, mediafile.ErrDamaged) {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
	}
}

// TestOrderOfEntries: a document is one whatever stands first in its archive,
// and however its parts are spelled.
func TestOrderOfEntries(t *testing.T) {
	t.Parallel()
	entries := []mediatest.Entry{
		mediatest.Contents(word),
		{Name: "word/document.xml", Content: "<document/>"},
		{Name: "_rels/.rels", Content: "<Relationships/>"},
		{Name: "docProps/thumbnail.jpeg", Content: strings.Repeat("x", 40_000)},
		{Name: "customXml/item1.xml", Content: "<x/>"},
	}
	for i := range entries {
		order := append(slices.Clone(entries[i:]), entries[:i]...)
		if info, err := measure(t, mediatest.Archive(order...)); err != nil || info.Format != mediafile.DOCX {
			t.Errorf("with %s first: %q, %v", order[0].Name, info.Format, err)
		}
	}
	strict := mediatest.Entry{Name: "[content_types].xml", Content: mediatest.Contents(word).Content}
	if info, err := measure(t, mediatest.Archive(mediatest.Entry{Name: `\word\document.xml`, Content: "<document/>"}, strict)); err != nil || info.Format != mediafile.DOCX {
		t.Errorf("with other slashes and letters: %q, %v", info.Format, err)
	}
}

// TestGreatDirectories: an archive or a compound file that is nothing but a
// directory is refused before it fills the memory.
func TestGreatDirectories(t *testing.T) {
	t.Parallel()
	entries := make([]mediatest.Entry, 40_000)
	for i := range entries {
		entries[i].Name = strings.Repeat("n", 10)
	}
	archive := mediatest.Archive(entries...)
	if info, err := measure(t, archive); !errors.Is(err, mediafile.ErrDamaged) {
		t.Errorf("40,000 entries: %+v, %v", info, err)
	}
	compound := append(mediatest.Sample(mediafile.DOC), make([]byte, 8<<20)...)
	for sector := range uint32(120) { // the directory goes on and on, through one table
		binary.LittleEndian.PutUint32(compound[512+4*(sector+1):], sector+2)
	}
	if _, err := measure(t, compound); err == nil {
		t.Error("a directory that does not end is taken")
	}
}
