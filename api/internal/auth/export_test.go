package auth

// What the tests of single rules reach.
var (
	Sanitise   = sanitise
	ValidEmail = validEmail
)

// Occupy takes every place in the line of passwords.
func (p *Passwords) Occupy() (release func()) {
	for range cap(p.slots) {
		p.slots <- struct{}{}
	}
	return func() {
		for range cap(p.slots) {
			<-p.slots
		}
	}
}
