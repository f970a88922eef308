"""The demo page, a Streamlit app."""
