/* SPDX-License-Identifier: MIT */
/* The page's parts, as they are in their files; the include path leads to each. */
	.section .rodata

	.macro	asset name, file
	.globl	kvcpu_report_\name
	.globl	kvcpu_report_\name\()_end
kvcpu_report_\name:
	.incbin	"\file"
kvcpu_report_\name\()_end:
	.endm

	asset	page, "page.html"
	asset	script, "page.js"
	asset	sections, "sections.js"
	asset	library, "chart.min.js"

	.section .note.GNU-stack, "", @progbits
