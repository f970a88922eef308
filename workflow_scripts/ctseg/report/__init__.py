"""Tables, figures and pages about a study."""
