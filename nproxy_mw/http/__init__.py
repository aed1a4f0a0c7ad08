"""HTTP as a WSGI layer meets it: what a request says, and how a response is made and sent."""
