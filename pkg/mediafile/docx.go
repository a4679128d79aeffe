package mediafile

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"io"
	"strings"
)

// isArchive reports whether a ZIP with a file in it begins here.
func isArchive(head []byte) bool {
	return len(head) >= 30 && bytes.HasPrefix(head, []byte("PK\x03\x04")) && binary.LittleEndian.Uint16(head[26:]) > 0
}

// The content types of the main part of a document (ECMA-376, part 1).
const (
	docxMain     = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
	docxTemplate = "application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml"
)

// contentList is the part that every document of Office has.
const contentList = "[content_types].xml"

// mostOfContents is how much of that part is read.
const mostOfContents = 1 << 20

// measureDOCX reads the directory of a ZIP, at its end, and the list of contents:
// the order of the entries does not matter, and a folder called word is not
// enough.
func measureDOCX(file io.ReaderAt, info *Info) error {
	archive, err := zip.NewReader(limited(file, mostOfDirectory), info.Size)
	if err != nil {
		return damaged("its list of contents cannot be read")
	}
	names := map[string]*zip.File{}
	for _, entry := range archive.File {
		name := strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(entry.Name, `\`, "/"), "/"))
		if strings.Contains(name, "vbaproject") || strings.Contains(name, "vbadata") {
			return notTaken("holds macros, which are programs; save it as DOCX, without them")
		}
		names[name] = entry
	}
	list, has := names[contentList]
	if !has {
		return notTaken("is a ZIP archive and no Word document")
	}
	return checkContents(list, names)
}

// contentTypes of the parts of a document, by name and by extension.
type contentTypesOf struct {
	Defaults []struct {
		Extension   string `xml:"Extension,attr"`
		ContentType string `xml:"ContentType,attr"`
	} `xml:"Default"`
	Overrides []struct {
		PartName    string `xml:"PartName,attr"`
		ContentType string `xml:"ContentType,attr"`
	} `xml:"Override"`
}

// checkContents looks for the main part of a document of Word, and for what has
// no business there.
func checkContents(list *zip.File, names map[string]*zip.File) error {
	var types contentTypesOf
	reader, err := list.Open()
	if err == nil {
		err = xml.NewDecoder(io.LimitReader(reader, mostOfContents)).Decode(&types)
		_ = reader.Close() // it was only read
	}
	if err != nil {
		return damaged("its list of contents cannot be read")
	}
	main := false
	for _, part := range types.Overrides {
		main = main || part.ContentType == docxMain && names[strings.ToLower(strings.TrimPrefix(part.PartName, "/"))] != nil
		if err := checkType(part.ContentType); err != nil {
			return err
		}
	}
	for _, part := range types.Defaults {
		main = main || part.ContentType == docxMain && names["word/document."+strings.ToLower(part.Extension)] != nil
		if err := checkType(part.ContentType); err != nil {
			return err
		}
	}
	if !main {
		return notTaken("is no Word document; save tables and presentations as PDF")
	}
	return nil
}

func checkType(contentType string) error {
	lower := strings.ToLower(contentType)
	switch {
	case strings.Contains(lower, "macroenabled"), strings.Contains(lower, "vbaproject"):
		return notTaken("holds macros, which are programs; save it as DOCX, without them")
	case contentType == docxTemplate:
		return notTaken("is a template of Word and no document; save it as DOCX")
	}
	return nil
}
