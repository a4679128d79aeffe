package mediatest

import (
	"embed"
	"testing"
)

// reports are files of the kinds that public bug reports of other programs are
// about. Their names say what is peculiar to them; the tables of the tests say
// what is right.
//
//go:embed reports
var reports embed.FS

// Report is one of those files.
func Report(t testing.TB, name string) []byte {
	t.Helper()
	content, err := reports.ReadFile("reports/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// Reports are all of their names.
func Reports(t testing.TB) []string {
	t.Helper()
	entries, err := reports.ReadDir("reports")
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = entry.Name()
	}
	return names
}
