// Package mutation describes how one mechanism is taken out of the code, and
// which tests must notice.
package mutation

// Mutation takes one mechanism out of the code.
type Mutation struct {
	// Name is unique: "fence-holder".
	Name string
	// Removes says in one sentence which mechanism is gone.
	Removes string
	// In is the folder of the package that is changed, from the root of the
	// repository with slashes. Its tests must notice.
	In string
	// Edits make the change, in their order.
	Edits []Edit
	// Tests are the tests that must notice, as "go test" prints them, with
	// spaces. At least one of them has to fail.
	Tests []string
}

// Edit replaces a text within one function. It names no file and no line, so it
// outlives a move of the function and a change of everything around the text.
// White space in Old stands for any white space.
type Edit struct {
	Of       string // function or method: "fence", "Store.claim"
	Old, New string // Old must be there exactly once
}
