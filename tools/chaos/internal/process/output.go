package process

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
)

// read passes on what a life prints, and notices when it is ready.
func (p *Process) read(output io.Reader) {
	if p.spec.Ready == "" {
		p.becomeReady()
	}
	for lines := bufio.NewReader(output); ; {
		line, err := lines.ReadString('\n')
		if line != "" {
			fmt.Fprint(p.spec.Output, line)
		}
		if p.spec.Ready != "" && strings.Contains(line, p.spec.Ready) {
			p.becomeReady()
		}
		if err != nil {
			return
		}
	}
}

func (p *Process) becomeReady() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.ready:
	default:
		close(p.ready)
	}
}

// state is the letter by which the kernel tells what a process does; 0 = there
// is none.
func state(pid int) byte {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, after, found := bytes.Cut(text, []byte(") ")) // its name may have spaces
	if !found || len(after) == 0 {
		return 0
	}
	return after[0]
}
