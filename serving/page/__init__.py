"""Demo page, a Streamlit app."""
