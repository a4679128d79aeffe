package mediafile

import (
	"bytes"
	"io"
	"strings"

	"github.com/richardlehane/mscfb"
)

// compoundMark begins a compound file: DOC, XLS, PPT, MSI and others.
var compoundMark = []byte{0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1}

func isCompound(head []byte) bool { return bytes.HasPrefix(head, compoundMark) }

// mostOfDirectory is how much is read to know what is in a compound file or an
// archive: its directory, which is kept in memory.
const mostOfDirectory = 2 << 20

// measureWord reads the directory of a compound file: a document of Word has a
// stream of a certain name, wherever the directory stands. (What a file says of
// its class is often missing.)
func measureWord(file io.ReaderAt, _ *Info) error {
	compound, err := mscfb.New(limited(file, mostOfDirectory))
	if err != nil {
		return damaged("its directory cannot be read")
	}
	var word, macros, locked, other bool
	for _, entry := range compound.File {
		switch name := strings.ToLower(entry.Name); {
		case name == "worddocument" && len(entry.Path) == 0:
			word = true
		case name == "macros" && len(entry.Path) == 0, name == "vba", strings.HasPrefix(name, "_vba_project"):
			macros = true
		case name == "encryptedpackage":
			locked = true
		case name == "workbook", name == "book", name == "powerpoint document":
			other = true
		}
	}
	switch {
	case macros:
		return notTaken("holds macros, which are programs; save it without them")
	case locked:
		return notTaken("is locked with a password; save it without one")
	case !word && other:
		return notTaken("is a table or a presentation and no Word document; save it as PDF")
	case !word:
		return notTaken("is no Word document")
	}
	return nil
}
