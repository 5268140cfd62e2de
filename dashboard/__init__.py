"""The dashboard: Streamlit and Plotly over the rdb and the processor."""
