package process

import (
	"bufio"
	"fmt"
	"io"
	"sync"
)

// longestLine is where a line is broken.
const longestLine = 64 << 10

// forward prints every line of in behind a name, until in ends. A last line
// without an end gets one.
func forward(out io.Writer, name string, in io.Reader) {
	lines := bufio.NewReaderSize(in, longestLine)
	for {
		line, _, err := lines.ReadLine()
		if err != nil {
			return
		}
		fmt.Fprintf(out, "%s │ %s\n", name, line)
	}
}

// Lines makes a writer whose writes do not mix: each is written as a whole.
func Lines(w io.Writer) io.Writer { return &lines{w: w} }

type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
