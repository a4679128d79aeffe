// Package clock steps the wall clocks of single processes, as an operator or a
// broken time server does, and leaves their monotonic clocks alone.
//
// Go programs ask the kernel without the C library, so libfaketime does not
// reach them. They are built with an overlay over package time of the standard
// library (Overlay): every time.Now of the program, its driver and its logs
// included, then adds a number of seconds that stands in a mapped file. Node
// runs under libfaketime.
package clock
