package deploy_test

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// update writes the template and the list of names anew: make env-example.
var update = flag.Bool("update", false, "write .env.production.example and pkg/config/names.txt anew")

const templateHead = `# Settings of the api, the worker and migrate in production. "make env" makes
# .env.production of it for this machine; or copy it and fill it in, and either
# export the variables or name the file in CONFIG_FILE. Variables of the
# environment win over the file. Never commit a filled-in copy.
#
# A line that begins with # and a name shows a default; nothing behind the = means
# that there is none. What has no # has to be thought of. Put 'single quotes'
# around values with spaces, # or $.
#
# This file is made from the programs by "make env-example". "api settings",
# "worker settings" and "migrate settings" print what a release knows.
`

// TestTemplate makes .env.production.example, and the names that pkg/config
// knows, of what the programs say about themselves, and compares.
func TestTemplate(t *testing.T) {
	t.Parallel()
	said := map[string]*said{"api": settings(t, "api", "api"), "worker": settings(t, "worker", "worker"), "migrate": settings(t, "migrations", "migrate")}
	both, api, worker, migrate := &section{name: "both"}, &section{name: "api"}, &section{name: "worker"}, &section{name: "migrate"}
	for _, name := range said["api"].names {
		if said["worker"].text[name] == "" {
			api.add(said["api"].text[name])
			continue
		}
		both.add(said["api"].text[name])
		for _, program := range []string{"worker", "migrate"} {
			if text := said[program].text[name]; text != "" && text != said["api"].text[name] {
				t.Errorf("the %s describes %s otherwise than the api:\n%s\n%s", program, name, text, said["api"].text[name])
			}
		}
	}
	for _, name := range said["worker"].names {
		if said["api"].text[name] == "" {
			worker.add(said["worker"].text[name])
		}
	}
	for _, name := range said["migrate"].names {
		if said["api"].text[name] == "" {
			migrate.add(said["migrate"].text[name])
		}
	}
	want := templateHead + both.String() + api.String() + worker.String() + migrate.String()
	compare(t, ".env.production.example", want)
	compare(t, "pkg/config/names.txt", names(said["api"], said["worker"], said["migrate"]))
}

// compare compares a file with what the programs say, or writes it.
func compare(t *testing.T, file, want string) {
	t.Helper()
	path := filepath.Join(root, file)
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s differs from what the programs say from line %d on; run: make env-example", path, firstDifference(got, []byte(want)))
	}
}

var oldNames = regexp.MustCompile(`Old name: ([A-Z0-9_, ]+)`)

// names lists each variable and its old names on a line.
func names(programs ...*said) string {
	lines := map[string]bool{}
	for _, program := range programs {
		for _, name := range program.names {
			line := name
			comment := strings.ReplaceAll(program.text[name], "\n# ", " ")
			if m := oldNames.FindStringSubmatch(comment); m != nil {
				line += " " + strings.ReplaceAll(m[1], ",", "")
			}
			lines[line+"\n"] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(lines)), "")
}

// said is what a program says of its variables.
type said struct {
	names []string
	text  map[string]string
}

var assignment = regexp.MustCompile(`(?m)^#?([A-Z][A-Z0-9_]*)=.*\n?$`)

// settings asks a program of a module.
func settings(t *testing.T, module, program string) *said {
	t.Helper()
	run := exec.Command("go", "run", "./cmd/"+program, "settings")
	run.Dir, run.Stderr = filepath.Join(root, module), os.Stderr
	text, err := run.Output()
	if err != nil {
		t.Fatalf("%s settings: %v", program, err)
	}
	s := &said{text: map[string]string{}}
	for paragraph := range strings.SplitSeq(string(text), "\n\n") {
		m := assignment.FindStringSubmatch(paragraph)
		if m == nil || s.text[m[1]] != "" {
			t.Fatalf("%s settings prints a paragraph without a variable of its own:\n%s", program, paragraph)
		}
		s.names = append(s.names, m[1])
		s.text[m[1]] = strings.TrimSuffix(paragraph, "\n")
	}
	return s
}

// section is a part of the template.
type section struct {
	name string
	body strings.Builder
}

func (s *section) add(paragraph string) { s.body.WriteString("\n" + paragraph + "\n") }

// String begins with the heading that other tests go by.
func (s *section) String() string {
	heading := "# --- " + s.name + " "
	return "\n" + heading + strings.Repeat("-", 80-len(heading)) + "\n" + s.body.String()
}

// firstDifference is the number of the first line that differs.
func firstDifference(a, b []byte) int {
	line := 1
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			break
		}
		line += bytes.Count(a[i:i+1], []byte("\n"))
	}
	return line
}
