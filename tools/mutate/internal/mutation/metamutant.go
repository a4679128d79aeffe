package mutation

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Variable is the environment variable that names the mutation which a test
// program shall have. Without it the program is as the code is.
const Variable = "MUTANT"

// chosen is the variable of the changed package with the value of Variable.
const chosen = "mutantUnderTest"

// Metamutant returns the files of one package that has all given mutations in it,
// path to content, and changes nothing on the disk. So they are compiled
// together: at the beginning of each function stand the bodies that it may have,
// and Variable chooses among them. An edit that does not fit any more is an
// error that says what to look at.
func Metamutant(root, folder string, mutations []Mutation) (map[string][]byte, error) {
	p, err := readPackage(filepath.Join(root, filepath.FromSlash(folder)))
	if err != nil {
		return nil, err
	}
	for _, m := range mutations {
		if err := p.mutate(m); err != nil {
			return nil, fmt.Errorf("mutation %s no longer applies to %s: %w", m.Name, folder, err)
		}
	}
	files := p.changed()
	files[filepath.Join(p.dir, "mutant.go")] = fmt.Appendf(nil,
		"package %s\n\nimport \"os\"\n\nvar %s = os.Getenv(%q)\n", p.name, chosen, Variable)
	return files, nil
}

// mutate adds the bodies that the functions of a mutation get.
func (p *pack) mutate(m Mutation) error {
	bodies := map[*function][]byte{}
	for _, edit := range m.Edits {
		f := p.functions[edit.Of]
		if f == nil {
			return fmt.Errorf("nothing is called %s there", edit.Of)
		}
		body, ok := bodies[f]
		if !ok {
			body = f.body
		}
		body, err := edit.replace(body)
		if err != nil {
			return fmt.Errorf("%s in %s: %w", edit.Of, filepath.Base(f.path), err)
		}
		bodies[f] = body
	}
	for f, body := range bodies {
		f.others = append(f.others, f.choice(m.Name, body)...)
	}
	return nil
}

// choice is a statement that runs another body, if its mutation is chosen. The
// body is that of a function, as it was: its results and what it defers stay
// its own. The compiler tells of errors in it under the name of the mutation.
func (f *function) choice(name string, body []byte) []byte {
	call, after := "return func() "+f.results, ""
	if f.results == "" {
		call, after = "func()", "; return"
	}
	return fmt.Appendf(nil, "if %s == %q { %s {/*line %s:1:1*/%s}()%s }\n", chosen, name, call, name, body, after)
}

func (e Edit) replace(body []byte) ([]byte, error) {
	words := strings.Fields(e.Old)
	for i, word := range words {
		words[i] = regexp.QuoteMeta(word)
	}
	found := regexp.MustCompile(strings.Join(words, `\s+`)).FindAllIndex(body, -1)
	if len(found) != 1 {
		return nil, fmt.Errorf("the text %q is there %d times, and must be there once", e.Old, len(found))
	}
	return slices.Concat(body[:found[0][0]], []byte(e.New), body[found[0][1]:]), nil
}

// changed returns the files that have functions with other bodies.
func (p *pack) changed() map[string][]byte {
	files := map[string][]byte{}
	for _, f := range p.inOrder() {
		if len(f.others) == 0 {
			continue
		}
		content, ok := files[f.path]
		if !ok {
			content = p.files[f.path]
		}
		at := len(content) - f.fromEnd // what was inserted so far is before it
		back := fmt.Sprintf("/*line %s:%d:%d*/", f.path, f.line, f.column)
		files[f.path] = bytes.Join([][]byte{content[:at], f.others, []byte(back), content[at:]}, nil)
	}
	return files
}

// goFiles lists the files of a package without its tests.
func goFiles(dir string) ([]string, error) {
	all, err := filepath.Glob(filepath.Join(dir, "*.go"))
	return slices.DeleteFunc(all, func(path string) bool { return strings.HasSuffix(path, "_test.go") }), err
}

func readFiles(paths []string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		files[path] = content
	}
	return files, nil
}
