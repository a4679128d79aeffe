package gate

import "bytes"

// ParseRequest reads the first message of a stream and everything that the
// gate wants to know of it.
func ParseRequest(stream []byte) (c Command, pieces [][]byte, err error) {
	m, err := readMessage(bytes.NewReader(stream))
	if err != nil {
		return Command{}, nil, err
	}

	if c, err = m.command(); err != nil {
		return Command{}, nil, err
	}

	if m.unacknowledged() {
		m = m.acknowledged()
	}

	p, err := cut(c, m)
	if err != nil {
		return Command{}, nil, err
	}

	for _, r := range p.requests {
		pieces = append(pieces, r)
	}

	return c, pieces, nil
}

// Statements returns the statements that a request carries.
func Statements(c Command, request []byte) ([][]byte, error) {
	_, all, err := statementsOf(message(request).body(), split[c.Name].field)

	out := make([][]byte, len(all))
	for i, s := range all {
		out[i] = s
	}

	return out, err
}

// AddAnswer feeds an answer of a server to the merging of answers.
func AddAnswer(stream []byte) error {
	m, err := readMessage(bytes.NewReader(stream))
	if err != nil {
		return err
	}

	var o outcome
	if err := o.add(m, 3); err != nil {
		return err
	}

	_, err = o.answer()

	return err
}
