// Package proxy stands between one process and one server, and breaks their
// network in the ways in which networks break: nothing arrives (a black hole),
// connections are refused, messages are torn in the middle by a reset, all
// takes longer. It can also act at a certain request, before the server sees
// it or after the server answered.
package proxy
