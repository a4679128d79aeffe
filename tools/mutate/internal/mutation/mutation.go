// Package mutation describes how one mechanism is taken out of the code, and
// which tests must notice.
package mutation

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Mutation takes one mechanism out of the code.
type Mutation struct {
	// Name is unique: "fence-holder".
	Name string
	// Removes says in one sentence which mechanism is gone.
	Removes string
	// In is the folder of the package that is changed, from the root of the
	// repository with slashes.
	In string
	// Edits make the change, in their order.
	Edits []Edit
	// TestsIn is the folder of the package whose tests must notice; "" = In.
	TestsIn string
	// Tests are the tests that must notice, as "go test" prints them, with
	// spaces. At least one of them has to fail.
	Tests []string
}

// Edit replaces a text within one declaration. It names no file and no line, so
// it outlives a move of the declaration and a change of everything around the
// text. White space in Old stands for any white space.
type Edit struct {
	Of       string // function, method, variable or constant: "fence", "Store.claim"
	Old, New string // Old must be there exactly once
}

// Package is the folder of the tests.
func (m Mutation) Package() string {
	if m.TestsIn != "" {
		return m.TestsIn
	}
	return m.In
}

// Apply returns the changed files of the package below root: path to content.
// It changes nothing on the disk. An edit that does not fit any more is an
// error that says what to look at.
func (m Mutation) Apply(root string) (map[string][]byte, error) {
	dir := filepath.Join(root, filepath.FromSlash(m.In))
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	changed := map[string][]byte{}
	for _, edit := range m.Edits {
		if err := edit.apply(files, changed); err != nil {
			return nil, fmt.Errorf("mutation %s no longer applies to %s: %w", m.Name, m.In, err)
		}
	}
	if len(changed) == 0 {
		return nil, fmt.Errorf("mutation %s changes nothing", m.Name)
	}
	return changed, nil
}

func (e Edit) apply(files []string, changed map[string][]byte) error {
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		content, ok := changed[path]
		if !ok {
			var err error
			if content, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		from, to, err := find(path, content, e.Of)
		if err != nil {
			return err
		}
		if to == 0 {
			continue
		}
		declaration, err := e.replace(content[from:to])
		if err != nil {
			return fmt.Errorf("%s in %s: %w", e.Of, filepath.Base(path), err)
		}
		changed[path] = append(append(append([]byte{}, content[:from]...), declaration...), content[to:]...)
		return nil
	}
	return fmt.Errorf("nothing is called %s there", e.Of)
}

func (e Edit) replace(declaration []byte) ([]byte, error) {
	words := strings.Fields(e.Old)
	for i, word := range words {
		words[i] = regexp.QuoteMeta(word)
	}
	found := regexp.MustCompile(strings.Join(words, `\s+`)).FindAllIndex(declaration, -1)
	if len(found) != 1 {
		return nil, fmt.Errorf("the text %q is there %d times, and must be there once", e.Old, len(found))
	}
	return append(append(append([]byte{}, declaration[:found[0][0]]...), e.New...), declaration[found[0][1]:]...), nil
}

// find returns where a declaration begins and ends in a file; 0, 0 = it is not
// in this file.
func find(path string, content []byte, name string) (from, to int, err error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, content, parser.SkipObjectResolution)
	if err != nil {
		return 0, 0, err
	}
	for _, declaration := range file.Decls {
		for _, node := range named(declaration, name) {
			return set.Position(node.Pos()).Offset, set.Position(node.End()).Offset, nil
		}
	}
	return 0, 0, nil
}

// named returns the parts of a declaration that have the name.
func named(declaration ast.Decl, name string) []ast.Node {
	var nodes []ast.Node
	switch d := declaration.(type) {
	case *ast.FuncDecl:
		if fullName(d) == name {
			nodes = append(nodes, d)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			value, ok := spec.(*ast.ValueSpec)
			for i := 0; ok && i < len(value.Names); i++ {
				if value.Names[i].Name == name {
					nodes = append(nodes, value)
				}
			}
		}
	}
	return nodes
}

// fullName is "Type.Method" or the name of a function.
func fullName(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) != 1 {
		return d.Name.Name
	}
	receiver := d.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	if generic, ok := receiver.(*ast.IndexExpr); ok {
		receiver = generic.X
	}
	if ident, ok := receiver.(*ast.Ident); ok {
		return ident.Name + "." + d.Name.Name
	}
	return d.Name.Name
}
