package mutation

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
)

// pack is a package whose functions can get other bodies.
type pack struct {
	dir, name string
	files     map[string][]byte    // by path
	functions map[string]*function // by "Type.Method", or the name alone
}

// function is a function as it is written.
type function struct {
	path         string
	body         []byte // what is between its braces
	results      string // the text of its results
	fromEnd      int    // bytes from the beginning of the body to the end of the file
	line, column int    // of the beginning of the body
	others       []byte // statements that run another body
}

func readPackage(dir string) (*pack, error) {
	paths, err := goFiles(dir)
	if err != nil {
		return nil, err
	}
	p := &pack{dir: dir, functions: map[string]*function{}}
	if p.files, err = readFiles(paths); err != nil {
		return nil, err
	}
	for path, content := range p.files {
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, content, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		p.name = file.Name.Name
		for _, declaration := range file.Decls {
			if d, ok := declaration.(*ast.FuncDecl); ok && d.Body != nil {
				p.functions[fullName(d)] = readFunction(set, path, content, d)
			}
		}
	}
	if p.name == "" {
		return nil, fmt.Errorf("no package is in %s", dir)
	}
	return p, nil
}

func readFunction(set *token.FileSet, path string, content []byte, d *ast.FuncDecl) *function {
	begin, end := set.Position(d.Body.Lbrace+1), set.Position(d.Body.Rbrace)
	f := &function{path: path, body: content[begin.Offset:end.Offset], fromEnd: len(content) - begin.Offset, line: begin.Line, column: begin.Column}
	if r := d.Type.Results; r != nil {
		f.results = string(content[set.Position(r.Pos()).Offset:set.Position(r.End()).Offset])
	}
	return f
}

// inOrder lists the functions of each file from its beginning.
func (p *pack) inOrder() []*function {
	return slices.SortedFunc(maps.Values(p.functions), func(a, b *function) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(b.fromEnd, a.fromEnd))
	})
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
